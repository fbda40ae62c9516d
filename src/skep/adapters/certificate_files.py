"""Certificates and keys in files: read with the file's name in every fault, written so that nothing is ever half there.

InvalidError: a file can't be read or written, or holds something else. It names the file, and where it is about rights
its mode and uid. UnavailableError: another process keeps the folder locked.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from cryptography import x509

from skep.adapters.certificates import SigningKey, read_certs, read_key
from skep.adapters.folder_lock import alone_in
from skep.model.errors import Fault, InvalidError
from skep.specs.unreadable import owner

FOLDER_MODE = 0o700

_DRAFT_FOLDER = re.compile(r"\..+\.[a-z0-9_]{8}\.new")
"""As tempfile.mkdtemp names it."""

Read = TypeVar("Read")


def read_bytes(path: Path) -> bytes:
    """All of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise file_fault(path, f"can't be read: {error.strerror}{owner(str(path), error)}") from error


def certs_in(path: Path) -> list[x509.Certificate]:
    """All certificates of a file, at least one."""
    return _of(path, read_certs)


def key_in(path: Path) -> SigningKey:
    """The key of a file, which has no passphrase."""
    return _of(path, read_key)


def _of(path: Path, read: Callable[[bytes], Read]) -> Read:
    pem = read_bytes(path)
    try:
        return read(pem)
    except ValueError as error:
        raise file_fault(path, str(error)) from error


def file_fault(path: Path, message: str) -> InvalidError:
    """What is wrong with a file."""
    return InvalidError([Fault(message, file=str(path))])


def make_folder(path: Path) -> None:
    """A folder for its user alone, with those above it; one that is there stays as it is."""
    with _writing(path):
        _make_folder(path)


def _make_folder(path: Path) -> None:
    if not path.is_dir():
        _make_folder(path.parent)
        # Another process may make it meanwhile.
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)


def write_new_folder(folder: Path, files: Mapping[str, tuple[bytes, int]]) -> bool:
    """Make a folder with these files (content and mode) in one step; False, and nothing is changed, if it is there."""
    with _writing(folder), alone_in(folder.parent):
        _remove_draft_folders(folder.parent)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".new", dir=folder.parent))  # 0700
        try:
            for name, (data, mode) in files.items():
                _write(draft / name, data, mode)
            _sync(draft)
            draft.rename(folder)
        except OSError as error:
            shutil.rmtree(draft)
            if isinstance(error, FileExistsError | NotADirectoryError) or os.path.lexists(folder):
                return False
            raise
        _sync(folder.parent)
        return True


def remove_draft_folders(folder: Path) -> None:
    """Remove what killed processes left of new folders in this one, with keys in it."""
    with _writing(folder), alone_in(folder):
        _remove_draft_folders(folder)


def replace_files(folder: Path, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Put these files (content and mode) in place of those of that name, in their order.

    All are on the disk before the first is replaced. The folder stays the same one: it may be mounted elsewhere.
    """
    with _writing(folder), alone_in(folder), contextlib.ExitStack() as leftovers:
        _remove_draft_files(folder, files)
        drafts = []
        for name, (data, mode) in files.items():
            draft = folder / f".{name}.{os.getpid()}.new"
            leftovers.callback(draft.unlink, missing_ok=True)
            _write(draft, data, mode)
            drafts.append((draft, folder / name))
        for draft, path in drafts:
            draft.replace(path)
        _sync(folder)


def _remove_draft_folders(folder: Path) -> None:
    """The lock tells that no other process is at work on them. Those with anything else in them are not ours."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another user's, maybe: it is in nobody's way
            is_draft = _DRAFT_FOLDER.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
            if is_draft and all(one.suffix == ".pem" for one in path.iterdir()):
                shutil.rmtree(path)


def _remove_draft_files(folder: Path, names: Iterable[str]) -> None:
    """Of killed processes; they would be copied to a host with the folder."""
    drafts = re.compile(rf"\.(?:{'|'.join(map(re.escape, names))})\.[0-9]+\.new")
    for path in folder.iterdir():
        if drafts.fullmatch(path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        named = Path(os.fsdecode(error.filename)) if error.filename else path
        message = f"can't be written: {error.strerror}"
        # Whose the folder is, where it is about rights.
        raise file_fault(path, message + owner(str(named if named.exists() else named.parent), error)) from error
