"""A removal that is cut off, by a crash or by an engine that goes silent, is finished by the next one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from skep.model.engine import Container, Network, Volume
from skep.model.errors import UnavailableError
from skep.plugins.docker.folder import Folder
from skep.plugins.docker.instances import DockerInstances
from skep.plugins.docker.machine import Machine

MACHINE = Machine("skep-me-0123456789ab", "h", "i", "n", "10.0.0.0/24", "10.0.0.9")
LABELS = MACHINE.labels("me")


@dataclass
class EngineOf:
    """One machine with all that belongs to it. Removals before number `silent_at` are done, it and later ones not."""

    silent_at: int = 99
    removals: int = 0
    there: set[str] = field(default_factory=lambda: {"container", "volume", "network"})

    async def containers(self, labels: Mapping[str, str]) -> Sequence[Container]:
        found = [Container("c", MACHINE.name, "i", "running", LABELS, 1.0)]
        return found if "container" in self.there else []

    async def volumes(self, labels: Mapping[str, str]) -> Sequence[Volume]:
        return [Volume(MACHINE.name, LABELS, 1.0)] if "volume" in self.there else []

    async def networks(self) -> Sequence[Network]:
        found = [Network("n1", "n", {"skep.controller": "me"}, "bridge", ("10.0.0.0/24",))]
        return found if "network" in self.there else []

    def _remove(self, what: str) -> None:
        if self.removals == self.silent_at:
            raise UnavailableError("no answer")
        self.removals += 1
        self.there.discard(what)

    async def remove_container(self, container: str) -> None:
        self._remove("container")

    async def remove_volume(self, name: str) -> None:
        self._remove("volume")

    async def remove_network(self, network: str) -> None:
        self._remove("network")


@pytest.mark.parametrize("silent_at", range(3))
async def test_a_removal_that_was_cut_off_is_finished_by_the_next(tmp_path: Path, silent_at: int) -> None:
    engine = EngineOf(silent_at)
    folder = Folder.of(tmp_path, MACHINE.name)
    folder.make()
    folder.write_tags({"a": "b"})

    async def no_image() -> str:
        raise AssertionError("nothing is made here")

    clock = SimpleNamespace()
    plugin = DockerInstances(engine, SimpleNamespace(), "me", tmp_path, no_image, clock, routes=list)
    with pytest.raises(UnavailableError):
        await plugin.destroy(MACHINE.name)
    assert [one.id for one in await plugin.describe({})] == [MACHINE.name]
    engine.silent_at = 99
    await plugin.destroy(MACHINE.name)
    assert engine.there == set()
    assert list((tmp_path / "m").iterdir()) == []
