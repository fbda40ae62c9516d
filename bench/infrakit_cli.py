"""What a command of `infrakit` costs, against a bare start of Python.

Run with `.venv/bin/python -m bench.infrakit_cli [ROUNDS]`. A plugin with 50 instances answers on a socket, in another
process; all commands alternate with the yardstick, `python -c pass` with the same interpreter. Exits 1 when a ratio of
the medians is above 2.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.infrakit.plugin_double import implements, served

from bench.cli import RATIO_MAX, ROUNDS

INFRAKIT = Path(sys.executable).with_name("infrakit")
INSTANCES = 50
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("version",),
    ("plugin", "ls"),
    ("group", "ls"),
    ("group", "describe", "cattle"),
    ("group", "inspect", "cattle"),
    ("group", "commit", "cattle.json", "--pretend"),
)
SPEC = {"ID": "cattle", "Properties": {"Allocation": {"Size": INSTANCES}}}
TAGS = {"infrakit.config_sha": "006438mMXW8gXeYtUxgf9Zbg94Y=", "infrakit.group": "cattle", "tier": "web"}


def serve(path: Path) -> None:
    """A group plugin without a world, until its input ends."""
    described = [{"ID": f"instance-{number}", "LogicalID": None, "Tags": TAGS} for number in range(INSTANCES)]
    answers = {
        **implements("Group"),
        "Group.InspectGroups": json.dumps({"Groups": [SPEC]}),
        "Group.DescribeGroup": json.dumps({"Description": {"Instances": described, "Converged": True}}),
        "Group.CommitGroup": '{"Details":"Noop"}',
    }
    with served(path, answers):
        sys.stdin.read()


@contextmanager
def running(path: Path) -> Iterator[None]:
    """`serve` in another process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.infrakit_cli", "--serve", str(path)], stdin=subprocess.PIPE
    )
    try:
        deadline_s = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < deadline_s, "the plugin did not start"
            time.sleep(0.02)
        yield
    finally:
        process.communicate()


def run(folder: Path, *command: str | Path) -> float:
    """Seconds that a process takes from its start to its end."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["INFRAKIT_PLUGINS_DIR"] = str(folder / "plugins")
    began_s = time.perf_counter()
    subprocess.run(list(map(str, command)), cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began_s


def measure(folder: Path, rounds: int) -> bool:
    """Alternate all, and print the medians; whether every command is within the limit.

    A first round is not counted: it compiles the modules, as installing does.
    """
    for command in COMMANDS:
        run(folder, INFRAKIT, *command)
    bare: list[float] = []
    times: dict[tuple[str, ...], list[float]] = {command: [] for command in COMMANDS}
    for _ in range(rounds):
        bare.append(run(folder, sys.executable, "-c", "pass"))
        for command, taken in times.items():
            taken.append(run(folder, INFRAKIT, *command))
    yardstick = statistics.median(bare)
    print(f"bare Python {yardstick * 1e3:.1f} ms")
    ratios = {command: statistics.median(taken) / yardstick for command, taken in times.items()}
    for command, ratio in ratios.items():
        print(f"infrakit {' '.join(command):38} {statistics.median(times[command]) * 1e3:6.1f} ms  {ratio:.2f} ×")
    return max(ratios.values()) <= RATIO_MAX


def main() -> int:
    """Measure, and say whether it holds."""
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]))
        return 0
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory(prefix="ik") as name:
        folder = Path(name)
        (folder / "plugins").mkdir(mode=0o700)
        (folder / "cattle.json").write_text(json.dumps(SPEC))
        with running(folder / "plugins" / "group"):
            held = measure(folder, rounds)
    print(f"{'within' if held else 'ABOVE'} {RATIO_MAX:g} ×")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
