"""The rules of the house hold, and each rule notices when it is broken."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import house

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src"
STDLIB = frozenset(sys.stdlib_module_names)
HEAVY = ("aiohttp", "aiodocker", "pydantic", "fastapi", "uvicorn", "ruamel", "apsw", "structlog", "rich", "skep.app")


def _published() -> list[Path]:
    """Every text file that is, or is about to be, in the repository."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    files = [ROOT / name for name in listing.split("\0") if name]
    return [file for file in files if file.is_file() and b"\0" not in file.read_bytes()[:8192]]


def _python(*folders: str) -> list[Path]:
    return [file for folder in folders for file in house.python_files(ROOT / folder)]


def _told(faults: list[str]) -> str:
    """One fault a line, with paths from the root: what a failing assertion shows in full."""
    return "\n".join(faults).replace(f"{ROOT}/", "")


def _pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]


def test_rooms_import_only_what_they_may() -> None:
    assert _told(house.import_faults(SRC, STDLIB)) == ""


def test_files_hold_one_subject() -> None:
    assert _told(house.size_faults(_python("src", "tests", "bench", "scripts"))) == ""


def test_functions_do_one_thing() -> None:
    assert _told(house.function_faults(_python("src"))) == ""


def test_no_module_is_a_drawer() -> None:
    files = [file.relative_to(ROOT) for file in _python("src", "tests", "bench", "scripts")]
    assert _told(house.drawer_faults(files)) == ""


def test_what_is_public_says_what_it_gives() -> None:
    assert _told(house.docstring_faults(_python("src"))) == ""


def test_nothing_unfinished_and_no_machine_is_published() -> None:
    assert _told(house.text_faults(_published())) == ""


def test_locks_name_no_hosts() -> None:
    locks = sorted(ROOT.glob("requirements*.lock"))
    assert len(locks) == 3
    assert _told(house.lock_faults(locks)) == ""


def test_links_lead_somewhere() -> None:
    assert _told(house.link_faults(_pages())) == ""


def test_decisions_are_numbered_and_dated() -> None:
    assert _told(house.decision_faults(ROOT / "docs" / "decisions")) == ""


def test_the_client_path_imports_nothing_heavy() -> None:
    modules = [house.module_name(SRC, file) for file in _python("src/skep/cli") if file.name != "__main__.py"]
    code = f"import sys, {', '.join(modules)}\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == "[]"


# --- each rule can fail -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("planning/plan", "import asyncio"),
        ("planning/plan", "from os import path"),
        ("planning/plan", "from skep.ports import Store"),
        ("planning/plan", "from skep import ports"),
        ("planning/plan", "def late():\n    import time"),
        ("model/spec", "from skep.planning.quorum import majority"),
        ("model/spec", "import pathlib"),
        ("wire/codec", "import socket"),
        ("ports", "from skep.specs.node import Node"),
        ("specs/node", "from skep.ports import Store"),
        ("control/loop", "from skep.adapters.docker import DockerEngine"),
        ("control/loop", "import skep.server.http"),
        ("adapters/docker", "from skep.control.loop import Loop"),
        ("adapters/docker", "from skep.planning import planner"),
        ("plugins/docker", "from skep.adapters.docker import DockerEngine"),
        ("server/http", "from skep.app import run"),
        ("cli/apply", "from skep.model.spec import Key"),
        ("cli/apply", "def late():\n    from skep.app import run"),
        ("cli/serve", "from skep.app import run"),
        ("cli/serve", "def late():\n    from skep.adapters.docker import DockerEngine"),
        ("cli/certs", "from skep.adapters.certificates import make_ca"),
        ("cli/certs", "def late():\n    from skep.control.loop import Loop"),
        ("cli/apply", "import aiohttp"),
        ("cli/apply", "from rich.table import Table"),
        ("app", "from skep.cli.main import main"),
        ("attic/box", "import json"),
        ("model/spec", "from .state import Life"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, module: str, line: str) -> None:
    file = tmp_path / "skep" / f"{module}.py"
    file.parent.mkdir(parents=True)
    file.write_text(f"{line}\n")
    assert len(house.import_faults(tmp_path, STDLIB)) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("planning/plan", "from skep.model.spec import Key"),
        ("planning/plan", "from skep.planning.quorum import majority"),
        ("control/loop", "import asyncio\nfrom skep.planning.planner import plan\nfrom skep.ports import Store"),
        ("adapters/docker", "import aiodocker\nfrom skep.ports import Engine"),
        ("cli/apply", "import click, json\nfrom skep.cli.client import call\nfrom skep import __version__"),
        ("cli/apply", "def late():\n    from rich.table import Table"),
        ("cli/serve", "def serve():\n    from skep.app import run"),
        ("cli/certs", "def ca():\n    from skep.adapters.certificates import make_ca"),
        ("app", "from skep.adapters.docker import DockerEngine"),
    ],
)
def test_an_allowed_import_is_let_through(tmp_path: Path, module: str, line: str) -> None:
    file = tmp_path / "skep" / f"{module}.py"
    file.parent.mkdir(parents=True)
    file.write_text(f"{line}\n")
    assert house.import_faults(tmp_path, STDLIB) == []


@pytest.mark.parametrize(("lines", "faults"), [(house.FILE_LINES_MAX, 0), (house.FILE_LINES_MAX + 1, 1)])
def test_a_long_file_is_found(tmp_path: Path, lines: int, faults: int) -> None:
    file = tmp_path / "long.py"
    file.write_text("pass\n" * lines)
    assert len(house.size_faults([file])) == faults


@pytest.mark.parametrize(("lines", "faults"), [(house.FUNCTION_LINES_MAX - 1, 0), (house.FUNCTION_LINES_MAX, 1)])
def test_a_long_function_is_found(tmp_path: Path, lines: int, faults: int) -> None:
    file = tmp_path / "long.py"
    file.write_text("class Thing:\n    async def act(self):\n" + "        pass\n" * lines)
    assert len(house.function_faults([file])) == faults


@pytest.mark.parametrize("name", ["src/skep/utils.py", "src/skep/utils/text.py", "tests/helpers.py"])
def test_a_drawer_is_found(name: str) -> None:
    assert len(house.drawer_faults([Path(name)])) == 1


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", 1),
        ('"""Says."""\n', 0),
        ('"""Says."""\n\n\nclass Thing:\n    pass\n', 1),
        ('"""Says."""\n\n\nasync def act():\n    pass\n', 1),
        ('"""Says."""\n\n\ndef _act():\n    pass\n', 0),
    ],
)
def test_a_missing_docstring_is_found(tmp_path: Path, text: str, faults: int) -> None:
    file = tmp_path / "thing.py"
    file.write_text(text)
    assert len(house.docstring_faults([file])) == faults


@pytest.mark.parametrize(
    "text",
    ["# TO" + "DO later", "FIX" + "ME", "see /wo" + "rk/main", "from py" + "pi.org", "cd /tmp/d" + "ev"],
)
def test_a_forbidden_word_is_found(tmp_path: Path, text: str) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"fine\n{text}\n")
    assert [fault.split(":")[1] for fault in house.text_faults([file])] == ["2"]


def test_ordinary_words_are_let_through(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("its network/work and a todo list, /var/lib/skep, apt-get install docker.io\n")
    assert house.text_faults([file]) == []


@pytest.mark.parametrize(
    "line", ["--index-url https://mirror.example/simple", "thing @ https://x.example/thing.whl", "--find-links wheels"]
)
def test_a_host_in_a_lock_is_found(tmp_path: Path, line: str) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"click==8.5.0 \\\n    --hash=sha256:00\n{line}\n")
    assert len(house.lock_faults([lock])) == 1


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("[there](page.md)", 0),
        ("[a place in it](page.md#part) and [here](#part)", 0),
        ("[the web](https://example.com/x)", 0),
        ("[nowhere](lost.md)", 1),
        ("![a picture](lost.png)", 1),
        ("```\n[not a link](lost.md)\n```", 0),
    ],
)
def test_a_lost_link_is_found(tmp_path: Path, text: str, faults: int) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert len(house.link_faults([page])) == faults


@pytest.mark.parametrize(
    ("name", "text", "faults"),
    [
        ("0001-a-choice.md", "# A choice\n\nDate: 2026-11-22\n", 0),
        ("0002-a-gap.md", "# A choice\n\nDate: 2026-11-22\n", 1),
        ("choice.md", "# A choice\n\nDate: 2026-11-22\n", 1),
        ("0001-a-choice.md", "A choice\n\nDate: 2026-11-22\n", 1),
        ("0001-a-choice.md", "# A choice\n\nDate: some day\n", 1),
    ],
)
def test_a_badly_kept_decision_is_found(tmp_path: Path, name: str, text: str, faults: int) -> None:
    (tmp_path / name).write_text(text)
    assert len(house.decision_faults(tmp_path)) == faults
