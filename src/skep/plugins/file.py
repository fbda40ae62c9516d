"""Instance plugin `file`: a machine is a file that tells what was asked for, and nothing runs (infrakit-compat.md 5.2).

For looking at what a group would make, and for programs that make machines out of such files.
"""

import asyncio
import os
import re
import stat
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import structlog

from skep.model.errors import Fault, InvalidError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.state import Life
from skep.plugins.file_layout import decoded, encoded, kept
from skep.plugins.folder_watch import FolderWatch
from skep.plugins.request import REQUEST_TAG, numbered_name

log = structlog.get_logger()

GROUP_TAG = "infrakit.group"

_NAME = re.compile(r"instance-[A-Za-z0-9._-]+")
"""What a machine may be called: a name in the folder and never a way out of it."""

_UNFINISHED = re.compile(r"\.instance-[A-Za-z0-9._-]+\.new")
LEFTOVER_S = 60.0
"""A file is written in a moment: one that is unfinished for so long was left by a process that died."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a file said when it looked like `mark`; None for what is no machine."""

    mark: tuple[int, int, int]
    description: InstanceDescription | None


class FileInstances:
    """Implements ports.InstancePlugin and ports.Watchable. Calls are short and block; none waits in between.

    Files are 0600 and the folder, where this makes it, 0700: Init may hold a join token. A file appears whole or not
    at all, and is read again only when it changed. What a power loss takes is missing, and is made again.
    """

    def __init__(self, folder: Path) -> None:
        """The folder is made with the first machine; files that InfraKit made in it are machines too."""
        self._folder = folder
        self._known: dict[str, _Known] = {}
        self._there = asyncio.Event()
        """The folder was there when it was last looked at."""

    async def validate(self, properties: RawJson) -> None:
        _properties(properties)

    async def provision(self, spec: InstanceSpec) -> str:
        properties = _properties(spec.properties)
        name = numbered_name("instance", spec.tags.get(REQUEST_TAG, ""))
        try:
            if self._look(name) is None:
                self._write(name, spec, encoded(name, spec, properties))
        except OSError as error:
            raise UnavailableError(f"could not write machine {name} into {self._folder}: {error.strerror}") from error
        return name

    def _write(self, name: str, spec: InstanceSpec, text: str) -> None:
        fresh = self._folder / f".{name}.new"
        fresh.unlink(missing_ok=True)  # of a process that died
        descriptor = self._open_new(fresh)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
                file.flush()
                status = os.fstat(descriptor)
            fresh.replace(self._folder / name)
            self._there.set()
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        self._known[name] = _Known(_mark(status), _description(name, dict(spec.tags), spec.logical_id, status))

    def _open_new(self, path: Path) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with suppress(FileNotFoundError):
            return os.open(path, flags, 0o600)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)

    async def destroy(self, instance: str) -> None:
        """What can't be the name of a machine is none, so that no file outside or beside is ever touched."""
        if _NAME.fullmatch(instance):
            try:
                (self._folder / instance).unlink(missing_ok=True)
            except OSError as error:
                raise UnavailableError(f"could not remove machine {instance}: {error}") from error

    async def remove_everything(self) -> tuple[str, ...]:
        """All machines, and the folder unless something else is in it. Says what it removed: `file NAME`."""
        machines = await self.describe({})
        for machine in machines:
            await self.destroy(machine.id)
        with suppress(OSError):
            self._folder.rmdir()
        return tuple(f"file {machine.id}" for machine in machines)

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        """In the order of the names. Files that are no machines are passed over, with a warning when they change."""
        try:
            found = self._scan()
        except OSError as error:
            raise UnavailableError(f"could not list the machines in {self._folder}: {error.strerror}") from error
        return [item for item in found if tags.items() <= item.tags.items()]

    def _scan(self) -> list[InstanceDescription]:
        before, self._known = self._known, {}
        try:
            entries = sorted(os.scandir(self._folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            self._there.clear()
            return []
        self._there.set()
        for entry in entries:
            with suppress(FileNotFoundError):  # removed meanwhile
                if _NAME.fullmatch(entry.name):
                    status = entry.stat(follow_symlinks=False)
                    self._known[entry.name] = self._current(entry.name, status, before.get(entry.name))
                elif _is_leftover(entry):
                    (self._folder / entry.name).unlink()
        return [known.description for known in self._known.values() if known.description is not None]

    def _look(self, name: str) -> InstanceDescription | None:
        """One machine as its file says now; None where there is none."""
        try:
            status = os.lstat(self._folder / name)
            known = self._known[name] = self._current(name, status, self._known.get(name))
        except FileNotFoundError:
            self._known.pop(name, None)
            return None
        return known.description

    def _current(self, name: str, status: os.stat_result, known: _Known | None) -> _Known:
        mark = _mark(status)
        if known is not None and known.mark == mark:
            return known
        try:
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is no plain file")
            return _Known(mark, _description(name, *decoded(self._read(name)), status))
        except ValueError as error:
            log.warning("a file is no machine", file=str(self._folder / name), error=str(error))
        return _Known(mark, None)

    def _read(self, name: str) -> bytes:
        """ValueError for what can't be read. A link is not followed, for what it leads to is not ours."""
        try:
            with os.fdopen(os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ValueError(error.strerror) from error

    async def changes(self) -> AsyncIterator[str]:
        await self._there.wait()
        with FolderWatch(self._folder) as watch:
            yield ""
            async for names in watch.changes():
                for group in self._groups(names):
                    yield group

    def _groups(self, names: frozenset[str]) -> set[str]:
        """Whose machines these are or were; empty text for what nobody knows, and for any that may have changed."""
        if not names:
            return {""}
        machines = [name for name in names if _NAME.fullmatch(name)]
        before = [known.description for name in machines if (known := self._known.get(name))]
        after = [self._look(name) for name in machines]
        groups = {item.tags.get(GROUP_TAG, "") for item in (*before, *after) if item is not None}
        return groups or ({""} if machines else set())


def _is_leftover(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file that nobody will finish; a folder or link of that name is somebody else's."""
    if not _UNFINISHED.fullmatch(entry.name) or not entry.is_file(follow_symlinks=False):
        return False
    return entry.stat(follow_symlinks=False).st_mtime < time.time() - LEFTOVER_S


@lru_cache(maxsize=1024)
def _properties(properties: RawJson) -> str:
    """Any object, as InfraKit's takes it, or null. InvalidError has every fault."""
    try:
        text = kept(properties)
    except InvalidError as error:
        raise InvalidError(
            [replace(f, path=f.path.removeprefix("Properties").lstrip(".")) for f in error.faults]
        ) from error
    if not text.startswith("{") and text != "null":
        raise InvalidError([Fault("must be an object")])
    return text


def _mark(status: os.stat_result) -> tuple[int, int, int]:
    """Another one for every file that is put in its place, and for every change but a very quick one."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def _description(
    name: str, tags: Mapping[str, str], logical_id: str | None, status: os.stat_result
) -> InstanceDescription:
    return InstanceDescription(name, logical_id, tags, Life.RUNNING, created_s=status.st_mtime)
