from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Running, running


@pytest.fixture(scope="package", autouse=True)
def plain_tracebacks() -> Iterator[None]:
    """As `skep serve` writes them. structlog's default draws every local of an application: seconds for each."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])
    yield
    structlog.reset_defaults()


@pytest.fixture
def front() -> FrontDouble:
    return FrontDouble([GROUP, WORKLOAD])


@pytest.fixture
def server(front: FrontDouble, tmp_path: Path) -> Iterator[Running]:
    with running(front, tmp_path / "api.sock") as server:
        yield server
