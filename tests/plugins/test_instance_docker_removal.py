"""A removal that is cut off, by a crash or by an engine that goes silent, is finished by the next one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from skep.model.engine import Container, Network, Volume
from skep.model.errors import NotFoundError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceSpec
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
    volume_goes_when_the_engine_answers: bool = False

    def engine(self, endpoint: str) -> "EngineOf":
        return self

    async def info(self) -> None:
        if self.volume_goes_when_the_engine_answers:
            self.there.discard("volume")

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


def plugin_on(engine: EngineOf, state_dir: Path) -> DockerInstances:
    async def no_image() -> str:
        raise NotFoundError("no image")

    clock = SimpleNamespace(monotonic_s=lambda: 0.0)
    return DockerInstances(engine, engine, "me", state_dir, no_image, clock, routes=list)


def folder_in(state_dir: Path, machine: str = MACHINE.name) -> Folder:
    folder = Folder.of(state_dir, machine)
    folder.make()
    folder.write_tags({"a": "b"})
    return folder


@pytest.mark.parametrize("silent_at", range(3))
async def test_a_removal_that_was_cut_off_is_finished_by_the_next(tmp_path: Path, silent_at: int) -> None:
    engine = EngineOf(silent_at)
    plugin = plugin_on(engine, tmp_path)
    folder_in(tmp_path)
    with pytest.raises(UnavailableError):
        await plugin.destroy(MACHINE.name)
    assert [one.id for one in await plugin.describe({})] == [MACHINE.name]
    engine.silent_at = 99
    await plugin.destroy(MACHINE.name)
    assert engine.there == set()
    assert list((tmp_path / "m").iterdir()) == []


async def test_the_folder_of_a_machine_that_others_removed_goes_when_the_next_is_made(tmp_path: Path) -> None:
    engine = EngineOf()
    kept, gone = folder_in(tmp_path), folder_in(tmp_path, "skep-me-ba9876543210")
    tags_alone = Folder.of(tmp_path, "skep-me-00000000000a")
    tags_alone.write_tags({"a": "b"})
    assert Folder.all(tmp_path) == {kept, gone, tags_alone}
    with pytest.raises(NotFoundError, match="no image"):
        await plugin_on(engine, tmp_path).boot(InstanceSpec(RawJson(b"{}"), {}))
    assert Folder.all(tmp_path) == {kept}


@pytest.mark.parametrize("digits", ["0123456789ab", "ba9876543210"])
async def test_a_draft_that_a_killed_process_left_stops_no_machine(tmp_path: Path, digits: str) -> None:
    """Of a machine that is there, and of one that is not."""
    kept = folder_in(tmp_path)
    draft = tmp_path / "m" / f".{digits}.tags.json.new"
    draft.touch()
    stranger = tmp_path / "m" / "notes.txt"
    stranger.touch()
    plugin = plugin_on(EngineOf(), tmp_path)
    with pytest.raises(NotFoundError, match="no image"):
        await plugin.boot(InstanceSpec(RawJson(b"{}"), {}))
    assert Folder.all(tmp_path) == {kept}
    await plugin.destroy(MACHINE.name)
    assert list((tmp_path / "m").iterdir()) == [stranger]


async def test_a_machine_whose_disk_goes_while_it_starts_is_not_left_without_one(tmp_path: Path) -> None:
    """The engine makes an empty volume where a container names one that is not there."""
    engine = EngineOf()
    plugin = plugin_on(engine, tmp_path)
    folder_in(tmp_path).socket.touch()
    engine.volume_goes_when_the_engine_answers = True
    with pytest.raises(NotFoundError, match="disk of machine skep-me-0123456789ab was removed"):
        await plugin.start(MACHINE.name)
    assert engine.there == set()
    assert Folder.all(tmp_path) == set()
