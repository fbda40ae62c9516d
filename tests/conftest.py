"""Fixtures for every test. Of the workers that run tests marked `docker`, each has an engine of its own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from xdist.remote import Producer

from skep.adapters.docker import DockerEngine
from skep.adapters.node_image import NodeImages
from tests.e2e.waiting import PHASES
from tests.engines import newer
from tests.engines.host import HostEngine, host_engine
from tests.workers import Groups, rank

# The same examples in every run: a suite that fails by chance tells the wrong person. SKEP_EXAMPLES=2000 explores.
settings.register_profile("suite", derandomize="SKEP_EXAMPLES" not in os.environ)
settings.load_profile("suite")


def pytest_configure() -> None:
    """A script that starts the suite in its background has it ignore SIGINT, and all that it starts with it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest with an engine comes first; workers are given groups in this order."""
    items.sort(key=lambda item: rank(item.nodeid) if item.get_closest_marker("docker") else 0)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups | None:
    """For `--dist loadscope`."""
    return Groups(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands the phases that it timed to who prints them."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["phases"] = PHASES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """A worker has ended."""
    PHASES.extend(getattr(node, "workeroutput", {}).get("phases", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long each phase took."""
    if PHASES:
        terminalreporter.section("end to end, seconds")
        for name, seconds in PHASES:
            terminalreporter.line(f"{seconds:7.1f}  {name}")


@pytest.fixture(scope="session", name="host_engine")
def _host_engine() -> Iterator[HostEngine]:
    """A Docker Engine of the session's own."""
    with host_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def node_image(host_engine: HostEngine) -> str:
    """A node image on that engine, built from this host's programs."""

    async def build() -> str:
        engine = DockerEngine(host_engine.endpoint)
        try:
            return await NodeImages(engine, pull_timeout_s=5).ensure()
        finally:
            await engine.close()

    with ThreadPoolExecutor(1) as thread:  # whoever asks first may have a loop running
        return thread.submit(asyncio.run, build()).result()


@pytest.fixture(scope="session")
def newer_node_image(host_engine: HostEngine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A node image on that engine with a newer engine inside."""
    tar = newer.node_tar(tmp_path_factory.mktemp("newer"))
    host_engine.docker("import", str(tar), newer.IMAGE)
    tar.unlink()
    return newer.IMAGE


@pytest.fixture
async def engine(host_engine: HostEngine) -> AsyncIterator[DockerEngine]:
    """A connection to that engine."""
    engine = DockerEngine(host_engine.endpoint)
    yield engine
    await engine.close()
