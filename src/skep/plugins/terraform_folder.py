"""The folder of the plugin `terraform`: a file for each machine, the lock, and what of it Terraform would trust."""

import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from skep.model.errors import RefusedError, UnavailableError
from skep.plugins.terraform_resource import Machine, decoded, init_in
from skep.ports import Clock

log = structlog.get_logger()

_SUFFIX, _GOING = ".tf.json", ".tf.json.going"
NAME = re.compile(r"instance-[A-Za-z0-9_-]+")
_READ = re.compile(r".*\.(tf|tofu)(\.json)?|.*\.tfvars(\.json)?|\.terraform.*|terraform\.tfstate.*|\.skep-terraform")
"""Names of what Terraform reads: it runs what it finds there, and the plan that lies in our own folder."""

_PLAN = "plan-"

_BASE = "skep.tf.json"
_BASE_TEXT = b'{"//":"Terraform plans nothing in a folder without a file, not even the removal of the last machine."}\n'

LOCK_WAIT_S = 3600.0
"""As long as an apply of another process may take."""
LOCK_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Kept:
    """A machine of a file. `going`: it is being removed, and Terraform does not read its file any more."""

    machine: Machine
    created_s: float
    going: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    mark: tuple[int, int, int]
    kept: Kept | None


class TerraformFolder:
    """Files are 0600 and appear whole or not at all; a folder that is made is 0700. Calls block, and are short."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._own = path / ".skep-terraform"
        self._known: dict[str, _Known] = {}

    def machines(self) -> dict[str, Kept]:
        """By name; files that are no machines are passed over, with a warning when they change. UnavailableError."""
        try:
            entries = sorted(os.scandir(self.path), key=lambda entry: entry.name)
        except FileNotFoundError:
            entries = []
        except OSError as error:
            raise UnavailableError(f"could not list the machines in {self.path}: {error.strerror}") from error
        before, self._known = self._known, {}
        for entry in entries:
            name = entry.name.removesuffix(_GOING).removesuffix(_SUFFIX)
            if entry.name != name and NAME.fullmatch(name):
                with suppress(FileNotFoundError):  # removed meanwhile
                    self._known[entry.name] = self._current(name, Path(entry.path), before.get(entry.name))
        found = [(file, known.kept) for file, known in self._known.items() if known.kept is not None]
        return {kept.machine.name: kept for _, kept in sorted(found, key=lambda item: not item[1].going)}

    def find(self, name: str) -> Kept | None:
        """One machine, as its file says now."""
        for suffix in (_SUFFIX, _GOING):
            file = f"{name}{suffix}"
            with suppress(FileNotFoundError):
                known = self._known[file] = self._current(name, self.path / file, self._known.get(file))
                if known.kept is not None:
                    return known.kept
        return None

    def _current(self, name: str, file: Path, known: _Known | None) -> _Known:
        status = file.lstat()
        mark = status.st_ino, status.st_size, status.st_mtime_ns
        if known is not None and known.mark == mark:
            return known
        try:
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is no plain file")
            machine = decoded(name, file.read_bytes())
        except (ValueError, PermissionError) as error:
            log.warning("a file is no machine", file=str(file), error=str(error))
            return _Known(mark, None)
        return _Known(mark, Kept(machine, status.st_mtime, file.name.endswith(_GOING)))

    def init_of(self, name: str) -> str:
        """What a machine is told to run; empty where nobody knows."""
        kept = self.find(name)
        if kept is None:
            return ""
        with suppress(FileNotFoundError):
            return init_in(kept.machine, (self.path / f"{name}{_GOING if kept.going else _SUFFIX}").read_bytes())
        return ""

    def write(self, name: str, text: bytes) -> None:
        """The file of a machine that shall be."""
        self._write(f"{name}{_SUFFIX}", text)
        (self.path / f"{name}{_GOING}").unlink(missing_ok=True)

    def _write(self, name: str, text: bytes) -> None:
        self._made(self.path)
        fresh = self.path / f".{name}.new"
        fresh.unlink(missing_ok=True)
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            fresh.replace(self.path / name)
        finally:
            fresh.unlink(missing_ok=True)  # where the disk is full

    def set_going(self, name: str) -> None:
        """Take the file out of Terraform's sight and keep it until the machine is gone."""
        with suppress(FileNotFoundError):
            (self.path / f"{name}{_SUFFIX}").replace(self.path / f"{name}{_GOING}")

    def forget(self, name: str) -> None:
        """The machine is not there any more."""
        for suffix in (_SUFFIX, _GOING):
            (self.path / f"{name}{suffix}").unlink(missing_ok=True)

    @staticmethod
    def file_of(name: str) -> str:
        """How Terraform calls the file in what it tells."""
        return f"{name}{_SUFFIX}"

    def make_ready(self) -> None:
        """So that Terraform can plan in it; RefusedError as `check_owners`."""
        self.check_owners()
        if not (self.path / _BASE).exists():
            self._write(_BASE, _BASE_TEXT)

    def check_owners(self) -> None:
        """RefusedError where Terraform would run what another user has put there: the default folder is everybody's."""
        if strange := names_of_others(entry for entry in os.scandir(self.path) if _READ.fullmatch(entry.name)):
            raise RefusedError(
                f"{self.path} holds files of another user, which Terraform would run: {', '.join(strange)}; "
                "choose a folder of your own with --dir"
            )

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[int]:
        """The descriptor of a lock that one process holds at a time, with the programs that inherit it.

        What processes that were killed left is removed: with the lock, nobody is at work on it.
        """
        self._made(self.path)
        self._made(self._own)
        self.check_owners()
        descriptor = os.open(self._own / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await self._wait_for(descriptor)
            self._clear()
            yield descriptor
        finally:
            os.close(descriptor)

    async def _wait_for(self, descriptor: int) -> None:
        end_s = self._clock.monotonic_s() + LOCK_WAIT_S
        while not _taken(descriptor):
            if self._clock.monotonic_s() >= end_s:
                raise UnavailableError(
                    f"another process has worked in {self.path} for {LOCK_WAIT_S:g} s; see who has "
                    f"{self._own / 'lock'} open"
                )
            await self._clock.sleep(LOCK_POLL_S)

    def _clear(self) -> None:
        """Plans: they hold what machines are given."""
        for plan in self._own.glob(f"{_PLAN}*"):
            shutil.rmtree(plan, ignore_errors=True)

    @contextmanager
    def plan_file(self) -> Iterator[Path]:
        """Where a plan goes, for as long as it is needed: it holds what machines are given."""
        self._made(self._own)
        folder = tempfile.mkdtemp(prefix=_PLAN, dir=self._own)
        try:
            yield Path(folder) / "plan"
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _made(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(f"could not make the folder {folder}: {error.strerror}") from error


def names_of_others(entries: Iterable[os.DirEntry[str]]) -> list[str]:
    """Of what neither root nor we own. What is gone since it was listed, such as Terraform's own lock, is nobody's."""
    trusted = {0, os.geteuid()}
    strange = []
    for entry in entries:
        with suppress(FileNotFoundError):
            if entry.stat(follow_symlinks=False).st_uid not in trusted:
                strange.append(entry.name)
    return sorted(strange)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
