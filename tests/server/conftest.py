from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Running, running


@pytest.fixture
def front() -> FrontDouble:
    return FrontDouble([GROUP, WORKLOAD])


@pytest.fixture
def server(front: FrontDouble, tmp_path: Path) -> Iterator[Running]:
    with running(front, tmp_path / "api.sock") as server:
        yield server
