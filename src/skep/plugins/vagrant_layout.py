"""Machines of the plugin `vagrant` on disk: InfraKit's folders and files (infrakit-compat.md 5.1), and what is not
finished. Calls are short and block."""

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from skep.model.errors import UnavailableError
from skep.model.go_json import go_string
from skep.plugins.request import numbered_name

BOOT, TAGS, IP, VAGRANTFILE = "boot.sh", "tags", "ip", "Vagrantfile"
LOG = "vagrant.log"
"""What Vagrant said, for whoever wants to watch; it goes with the machine."""

FAILED = "failed"
"""Folder of what Vagrant said of machines that did not come up, NAME.log each."""
FAILED_MAX = 10
"""A group that tries again and again would fill the disk."""

UNFINISHED = "unfinished"
"""Says what was begun and is not done. Folders that InfraKit made have none: it wrote tags when all was done."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a disk says that has no room for us; removing a machine makes some."""

_NAME = re.compile(r"infrakit-[A-Za-z0-9._-]+")
"""What a machine may be called: a folder in the folder, and never a way out of it."""

_NO_TAGS = "it has no tags, which InfraKit writes when Vagrant is done"

_LEFTOVER = re.compile(r"\.infrakit-[A-Za-z0-9._-]+\.(?:new|gone)")
LEFTOVER_S = 60.0
"""Folders are written and removed in a moment: one that stays so long was left by a process that died."""


class Stage(StrEnum):
    """How far a machine is; the words are what stands in its file."""

    BEGUN = "vagrant up"
    LEAVING = "vagrant destroy"
    DONE = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """A machine as its folder tells it. `created_s` is wall time."""

    name: str
    tags: Mapping[str, str]
    logical_id: str | None
    stage: Stage
    created_s: float


def machine_name(request: str) -> str:
    """What InfraKit calls a machine's folder, numbered by the request."""
    return numbered_name("infrakit", request)


def is_machine_name(name: str) -> bool:
    """Whether a machine may be called so."""
    return _NAME.fullmatch(name) is not None


class Folders:
    """The machines below one folder, made 0700 with the first of them; their files are 0600, since `boot.sh` may hold
    a join token. A machine's folder appears whole and goes at once. OSError where the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where the machine is, or would be."""
        return self.folder / name

    def begin(self, name: str, files: Mapping[str, str]) -> None:
        """All of a machine but itself, marked as begun: whatever happens next, nobody loses track of it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.folder / f".{name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        try:
            for file, text in {**files, UNFINISHED: Stage.BEGUN.value}.items():
                _write(fresh / file, text)
            fresh.rename(self.path(name))
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise

    def mark_leaving(self, name: str) -> None:
        """From now on it is only a matter of time until the machine is gone. On a full disk the mark is an empty file,
        which takes no room, or is left out: the machine may be what fills the disk."""
        mark = self.path(name) / UNFINISHED
        try:
            _write(mark, Stage.LEAVING.value)
        except OSError as error:
            if error.errno not in FULL:
                raise
            with suppress(OSError):
                mark.touch(0o600)

    def finish(self, name: str) -> None:
        """The machine is up."""
        (self.path(name) / UNFINISHED).unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Forget the machine, and its script with it."""
        gone = self.folder / f".{name}.gone"
        shutil.rmtree(gone, ignore_errors=True)
        with suppress(FileNotFoundError):
            self.path(name).rename(gone)
            shutil.rmtree(gone)

    def find(self, name: str) -> Folder | None:
        """None for what is no machine, or another user's. ValueError for tags that can't be read, or were never
        written."""
        path = self.path(name)
        if not _NAME.fullmatch(name) or path.is_symlink() or not _is_ours(path):
            return None
        try:
            tags = _decoded((path / TAGS).read_bytes())
            created_s = (path / TAGS).stat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            if _was_begun(path):
                raise ValueError(_NO_TAGS) from None
            return None
        return Folder(name, tags, _text(path / IP), _stage(_text(path / UNFINISHED)), created_s)

    def names(self, now_s: float) -> list[str]:
        """Folders that may be machines, in order; what a process that died left half-written is removed. `now_s` is
        wall time."""
        try:
            entries = sorted(os.scandir(self.folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return []
        for entry in entries:
            if _LEFTOVER.fullmatch(entry.name):
                _remove_old(entry, now_s - LEFTOVER_S)
        return [entry.name for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)]

    def script(self, name: str) -> str:
        """What the machine is told to run; empty where nobody knows."""
        return _text(self.path(name) / BOOT) or ""

    def stage(self, name: str) -> Stage | None:
        """How far the machine is, even if its tags can't be read; None for what is no machine, or another user's."""
        path = self.path(name)
        if not is_machine_name(name) or path.is_symlink() or not _is_ours(path):
            return None
        if not ((path / TAGS).is_file() or _was_begun(path)):
            return None
        return _stage(_text(path / UNFINISHED))

    def keep_log(self, name: str, text: str) -> Path:
        """What Vagrant said of a machine that failed, kept beside the machines with the last ones; where it is."""
        failed = self.folder / FAILED
        failed.mkdir(mode=0o700, exist_ok=True)
        _write(failed / f"{name}.log", text)
        logs = sorted(failed.glob("infrakit-*.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for old in logs[FAILED_MAX:]:
            old.unlink(missing_ok=True)
        return failed / f"{name}.log"

    @contextmanager
    def claimed(self, name: str) -> Iterator[None]:
        """Alone with a machine, among processes: UnavailableError while another one is at work on it."""
        descriptor = os.open(self.path(name), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _lock(descriptor, name)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int, name: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UnavailableError(f"another process is at work on machine {name}") from error


def notes_folder(folder: Path, given: str) -> Path:
    """Where Vagrant notes the machine of a folder: `given` is VAGRANT_DOTFILE_PATH, and is followed only into the
    folder, for one that lies elsewhere would be the notes of all machines."""
    place = Path(os.path.normpath(folder / given))
    return place if given and not given.startswith("~") and folder in place.parents else folder / ".vagrant"


def encoded_tags(tags: Mapping[str, str]) -> str:
    """What Go writes: an object in byte order of its names, without white space."""
    names = sorted(tags, key=lambda name: name.encode(errors="replace"))
    return "{" + ",".join(f"{go_string(name)}:{go_string(tags[name])}" for name in names) + "}"


def _decoded(text: bytes) -> Mapping[str, str]:
    try:
        return msgspec.json.decode(text, type=dict[str, str] | None) or {}
    except msgspec.DecodeError as error:
        raise ValueError(f"its tags can't be read: {error}") from error


def _remove_old(entry: os.DirEntry[str], before_s: float) -> None:
    with suppress(FileNotFoundError):  # its own process did
        if entry.stat(follow_symlinks=False).st_ctime < before_s:
            shutil.rmtree(entry.path, ignore_errors=True)


def _is_ours(path: Path) -> bool:
    """Vagrant runs what is in there: where anybody may make folders, those of others are none."""
    try:
        return path.stat().st_uid in {0, os.geteuid(), path.parent.stat().st_uid}
    except FileNotFoundError:
        return False


def _was_begun(path: Path) -> bool:
    """Whether it is as InfraKit leaves a machine when it dies before Vagrant is done."""
    return (path / VAGRANTFILE).is_file()


def _stage(marker: str | None) -> Stage:
    """What is said by no word of ours, or by none, has at least not been finished."""
    if marker is None:
        return Stage.DONE
    return Stage.LEAVING if marker == Stage.LEAVING else Stage.BEGUN


def _write(path: Path, text: str) -> None:
    """A file that is there whole or as it was before, and open to nobody else."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode(errors="replace"))
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _text(path: Path) -> str | None:
    with suppress(FileNotFoundError):
        return path.read_text(errors="replace")
    return None
