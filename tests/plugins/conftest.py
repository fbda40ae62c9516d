"""Fixtures that several files share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from skep.plugins.vagrant import VagrantInstances
from skep.plugins.vagrant_process import Vagrant
from tests.fakes.vagrant import FakeVagrant
from tests.plugins.vagrant_machines import HandClock, Restart


@pytest.fixture
def vagrant(tmp_path: Path) -> FakeVagrant:
    return FakeVagrant(tmp_path / "bin")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "machines" / "here"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def restart(vagrant: FakeVagrant, folder: Path, clock: HandClock) -> AsyncIterator[Restart]:
    """The plugin of a new process; the one before is gone."""
    plugins: list[VagrantInstances] = []

    async def anew() -> VagrantInstances:
        for plugin in plugins:
            await plugin.close()
        plugins.append(VagrantInstances(folder, clock, None, Vagrant(vagrant.program)))
        return plugins[-1]

    yield anew
    for plugin in plugins:
        await plugin.close()


@pytest.fixture
async def plugin(restart: Restart) -> VagrantInstances:
    return await restart()
