"""Instance plugin `vagrant`: machines that Vagrant brings up, in InfraKit's folders (infrakit-compat.md 5.1).

All that is needed to find and remove a machine is on disk before Vagrant makes it, and stays until Vagrant has removed
it. What a process that died had begun is no machine that anybody can use, and nobody knows how far its script had come:
it is removed, and a repeated request makes it anew. What could not be removed is tried again, as often as it takes.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import chain, repeat
from pathlib import Path
from weakref import WeakValueDictionary

import structlog

from skep.model.errors import RejectedError, SkepError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.state import Life
from skep.plugins.request import REQUEST_TAG
from skep.plugins.vagrant_file import Machine, Template, read_machine, vagrantfile
from skep.plugins.vagrant_layout import (
    BOOT,
    IP,
    LOG,
    TAGS,
    VAGRANTFILE,
    Folder,
    Folders,
    Stage,
    encoded_tags,
    is_machine_name,
    machine_name,
)
from skep.plugins.vagrant_process import Vagrant, last_text, without_secrets
from skep.ports import Clock

log = structlog.get_logger()

PAUSES_S = (5.0, 15.0, 60.0, 300.0)
"""Before removing again what would not go; the last one is repeated."""

LOG_BYTES = 1024 * 1024
"""Of the log of a machine that failed: the end says why, and ten of them are small."""


class VagrantInstances:
    """Implements ports.InstancePlugin. Machines are never asked whether they run: that takes Vagrant seconds each."""

    def __init__(
        self, folder: Path, clock: Clock, template: Template | None = None, vagrant: Vagrant | None = None
    ) -> None:
        """The folder is made with the first machine; machines that InfraKit made in it are machines too."""
        self._folders = Folders(folder.absolute())
        self._clock = clock
        self._template = template
        self._vagrant = vagrant or Vagrant()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Of machines that somebody is at work on, or waits for."""
        self._rising: set[str] = set()
        self._failures: dict[str, str] = {}
        """Why a machine that shall go is still there."""
        self._removals: dict[str, asyncio.Task[None]] = {}

    async def validate(self, properties: RawJson) -> None:
        """The template is not looked at: what it takes of the tags is known when a machine is made."""
        read_machine(properties)

    async def provision(self, spec: InstanceSpec) -> str:
        machine = read_machine(spec.properties)
        files = self._files(spec, machine)
        name = machine_name(spec.tags.get(REQUEST_TAG, ""))
        async with self._turn(name):
            with self._disk(f"make machine {name}"):
                await self._made(name, machine, files)
        return name

    def _files(self, spec: InstanceSpec, machine: Machine) -> Mapping[str, str]:
        text = vagrantfile(machine, spec.logical_id, spec.tags, self._template)
        address = {IP: spec.logical_id} if spec.logical_id is not None else {}
        return {BOOT: spec.init, VAGRANTFILE: text, TAGS: encoded_tags(spec.tags)} | address

    async def _made(self, name: str, machine: Machine, files: Mapping[str, str]) -> None:
        """Done is done, and what was only begun is made anew."""
        found = self._known(name)
        if found is not None and found.stage is Stage.DONE:
            return
        if found is not None:
            await self._gone(name)
        self._folders.begin(name, files)
        path = self._folders.path(name)
        log.info("a machine is being made", machine=name, log=str(path / LOG))
        try:
            with self._folders.claimed(name):
                self._rising.add(name)
                await self._vagrant.up(path, machine.provider, files[BOOT])
        except SkepError as error:
            self._tell(name, error, files[BOOT])
            raise await self._undone(name, error) from error
        finally:
            self._rising.discard(name)
        self._folders.finish(name)
        log.info("a machine is up", machine=name)

    def _known(self, name: str) -> Folder | None:
        """RejectedError for a machine that is there, and of which nobody knows whose it is."""
        try:
            return self._folders.find(name)
        except ValueError as error:
            raise RejectedError(
                f"machine {name} in {self._folders.folder} is there, but {error}: destroy it"
            ) from error

    def _tell(self, name: str, error: SkepError, script: str) -> None:
        """The log of a machine goes with it: it is kept elsewhere, without the script's secrets."""
        first, *words = str(error).splitlines()
        try:
            text = without_secrets(last_text(self._folders.path(name) / LOG, LOG_BYTES), script, LOG_BYTES)
            kept = str(self._folders.keep_log(name, f"{text}\n"))
        except OSError as refusal:
            kept = f"not kept: {refusal.strerror}"
        log.warning(
            "a machine could not be made",
            machine=name,
            error=first.rstrip(":"),
            said="".join(words[-1:]).strip(),
            log=kept,
        )

    async def _undone(self, name: str, error: SkepError) -> SkepError:
        """The error, once nothing is left of what could not be made, or with what is left."""
        try:
            await self._gone(name)
        except SkepError as second:
            return type(error)(f"{error}\nand what was made of {name} is still there: {second}")
        return error

    async def destroy(self, instance: str) -> None:
        """What can't be the name of a machine is none, so that nothing outside or beside is ever touched. One whose
        tags can't be read, or that InfraKit has not given any, is a machine all the same."""
        if not is_machine_name(instance):
            return
        async with self._turn(instance):
            with self._disk(f"remove machine {instance}"):
                if self._folders.stage(instance) is not None:
                    await self._gone(instance)

    async def _gone(self, name: str) -> None:
        """Remove a machine that is there; one that Vagrant can't remove stays on the books and is tried again."""
        with self._folders.claimed(name):
            self._folders.mark_leaving(name)
            try:
                await self._vagrant.destroy(self._folders.path(name), self._folders.script(name))
            except SkepError as error:
                if self._vagrant.holds(self._folders.path(name)):
                    self._failures[name] = str(error)
                    self._remove_later(name, PAUSES_S)
                    raise
            self._folders.remove(name)
        self._failures.pop(name, None)
        log.info("a machine is gone", machine=name)

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        """In the order of the names. Folders that are no machines are passed over, and so are those that are coming
        up: who waits for one would hear over InfraKit's wire that it serves."""
        with self._disk("list the machines"):
            names = [name for name in self._folders.names(self._clock.wall_s()) if name not in self._rising]
            found = [folder for name in names if (folder := self._found(name))]
            for name in names:
                self._remove_what_is_nobodys(name)
        return [self._description(folder) for folder in found if tags.items() <= folder.tags.items()]

    def _found(self, name: str) -> Folder | None:
        try:
            return self._folders.find(name)
        except ValueError as error:
            log.warning("a folder is no machine", folder=str(self._folders.path(name)), error=str(error))
        return None

    def _description(self, folder: Folder) -> InstanceDescription:
        life = Life.PENDING if folder.stage is Stage.BEGUN else Life.RUNNING
        detail = self._failures.get(folder.name, "being removed" if folder.stage is Stage.LEAVING else "")
        return InstanceDescription(folder.name, folder.logical_id, folder.tags, life, folder.created_s, detail)

    def _remove_what_is_nobodys(self, name: str) -> None:
        """What an earlier process, or a caller that gave up, did not end: to make a machine, or to remove it."""
        if name not in self._turns and self._folders.stage(name) not in {None, Stage.DONE}:
            self._remove_later(name, (0.0, *PAUSES_S))

    def _remove_later(self, name: str, pauses_s: Sequence[float]) -> None:
        if name not in self._removals:
            task = self._removals[name] = asyncio.create_task(self._removed(name, pauses_s), name=f"remove {name}")
            task.add_done_callback(lambda _: self._removals.pop(name, None))

    async def _removed(self, name: str, pauses_s: Sequence[float]) -> None:
        for pause_s in chain(pauses_s, repeat(pauses_s[-1])):
            await self._clock.sleep(pause_s)
            async with self._turn(name):
                if self._folders.stage(name) in {None, Stage.DONE}:
                    return
                try:
                    with self._disk(f"remove machine {name}"):
                        await self._gone(name)
                except SkepError as error:
                    log.warning("a machine could not be removed", machine=name, error=str(error))

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        """One act at a time for each machine."""
        lock = self._turns.get(name) or self._turns.setdefault(name, asyncio.Lock())
        async with lock:
            yield

    @contextmanager
    def _disk(self, act: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnavailableError(f"could not {act} in {self._folders.folder}: {error.strerror}") from error

    async def close(self) -> None:
        """Remove nothing more; the next process goes on with it."""
        tasks = list(self._removals.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._vagrant.close()
