"""How tests are shared out to workers."""

import re
import subprocess
import sys
from collections import defaultdict

from tests.workers import IN_PARTS, LONGEST_FIRST, ONE_WORLD, TESTS, group, rank

ROOT = TESTS.parent
TWO_FILES = "tests/planning/test_loss.py", "tests/planning/test_outlook.py"


def test_files_of_one_world_are_one_group_and_functions_of_some_are_groups() -> None:
    assert {group(f"{file}::test_it") for file in ONE_WORLD} == {"one world"}
    assert {group(f"{file}::test_it[one-two]") for file in IN_PARTS} == {f"{file}::test_it" for file in IN_PARTS}
    assert group("tests/cli/test_wait.py::test_it[a::b]") == "tests/cli/test_wait.py"


def test_the_longest_are_first_in_their_order() -> None:
    assert [rank(f"{name}::test_it") for name in LONGEST_FIRST if name.endswith(".py")] == [
        number for number, name in enumerate(LONGEST_FIRST) if name.endswith(".py")
    ]
    assert rank("tests/cli/test_wait.py::test_it") == len(LONGEST_FIRST)


def test_all_files_that_are_named_are_there() -> None:
    named = [*ONE_WORLD, *IN_PARTS, *(name for name in LONGEST_FIRST if name != "one world")]
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_a_worker_runs_a_whole_group() -> None:
    """With the very pytest and xdist that are installed."""
    options = ("-v", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *options, "-o", "console_output_style=classic", *TWO_FILES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    workers: dict[str, set[str]] = defaultdict(set)
    for worker, file in re.findall(r"^\[(gw\d)\] PASSED ([^:]+)::", done.stdout, re.MULTILINE):
        workers[file].add(worker)
    assert sorted(map(sorted, workers.values())) == [["gw0"], ["gw1"]], done.stdout
