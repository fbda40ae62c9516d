"""What docs/api.md says: every command in it is run, and every route is in it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from skep.server.api import create_api
from skep.server.metrics import Reading, exposition
from tests.server.front_double import FrontDouble
from tests.server.running import Running, running
from tests.server.whole import WholeFront

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
COMMANDS = re.findall(r"^    (curl .*)$", PAGE, re.MULTILINE)
ENDLESS = 28
"""curl's exit code for time that is up."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    front = WholeFront()
    with running(front, tmp_path_factory.mktemp("api") / "s") as server:
        server.run(front.start())
        yield server
        server.run(front.stop())


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_every_command_works_in_its_order(whole: Running) -> None:
    assert len(COMMANDS) >= 10
    for command in COMMANDS:
        here = command.replace("/var/lib/skep/skep.sock", str(whole.path)).replace(":2476", f":{whole.port}")
        run = subprocess.run(f"{here} -sS -f --max-time 2", shell=True, capture_output=True, text=True, check=False)
        assert run.returncode == (ENDLESS if "stream" in command else 0), (command, run.stdout, run.stderr)
        assert run.stdout


def test_every_route_is_on_the_page() -> None:
    for path in create_api(FrontDouble()).openapi()["paths"]:
        shown = path.replace("{name}", "ID").replace("{which}", "node").replace("/workloads", "/groups")
        assert f"{shown}`" in PAGE, path


def test_every_metric_is_on_the_page() -> None:
    front = FrontDouble()
    names = re.findall(r"^# TYPE (skep_\S+)", exposition(Reading(front.info(), ready=True)).decode(), re.MULTILINE)
    assert len(names) >= 10
    assert [name for name in names if f"`{name}`" not in PAGE] == []
