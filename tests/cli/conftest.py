import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Running, running


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("SKEP_SOCKET", "SKEP_STATE_DIR", "SKEP_CONFIG", "SKEP_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "")  # set, so that it is as before afterwards, whatever --no-color makes of it
    monkeypatch.setenv("INFRAKIT_PLUGINS_DIR", str(tmp_path / "no-plugins"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def front() -> FrontDouble:
    return FrontDouble([GROUP, WORKLOAD])


@pytest.fixture
def server(front: FrontDouble, tmp_path: Path) -> Iterator[Running]:
    with running(front, tmp_path / "api.sock") as server:
        yield server


@pytest.fixture
def shell(server: Running) -> Shell:
    return Shell(server.path)
