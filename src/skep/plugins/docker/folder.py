"""A machine's private folder on this host, and the tags that came after it was made. Blocking, and short."""

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from skep.model.errors import RejectedError
from skep.plugins.docker.machine import SHORT_DIGITS

log = structlog.get_logger()

SOCKET_PATH_MAX = 107
"""Bytes in the path of a unix socket on Linux."""

TAGS_SUFFIX = ".tags.json"

_OURS = re.compile(rf"\.?([0-9a-f]{{{SHORT_DIGITS}}})({re.escape(TAGS_SUFFIX)}(\.new)?)?")
"""What a machine leaves in STATE/m: its folder, its tags, and the draft of those where a process was killed."""


@dataclass(frozen=True, slots=True)
class Folder:
    """STATE/m/<digits>, mounted into the machine; its tags lie beside it, where the machine can't reach them."""

    path: Path

    @classmethod
    def of(cls, state_dir: Path, machine: str) -> "Folder":
        """RejectedError where the engine's socket would have too long a path."""
        folder = cls(state_dir / "m" / machine[-SHORT_DIGITS:])
        if len(os.fsencode(folder.socket)) > SOCKET_PATH_MAX:
            raise RejectedError(
                f"the state directory's path is too long: {folder.socket} has more than {SOCKET_PATH_MAX} bytes"
            )
        return folder

    @classmethod
    def all(cls, state_dir: Path) -> "set[Folder]":
        """Those that there are, and those of which only the tags, or a draft of them, are left."""
        place = state_dir / "m"
        found = [_OURS.fullmatch(path.name) for path in place.iterdir()] if place.is_dir() else []
        return {cls(place / ours[1]) for ours in found if ours}

    @property
    def socket(self) -> Path:
        return self.path / "e.sock"

    @property
    def is_done(self) -> bool:
        """Whether the machine has run its Init, and its engine has answered since it started."""
        return (self.path / "done").exists()

    @property
    def failure(self) -> str:
        """What a failed Init said, in words; empty when none failed."""
        with contextlib.suppress(OSError):
            code, _, line = (self.path / "failed").read_text(errors="replace").partition("\n")
            return f"Init failed with exit code {code}: {line.strip()}"
        return ""

    def make(self) -> None:
        """0700, and nothing left in it of an earlier run of the machine."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.mkdir(exist_ok=True, mode=0o700)
        for name in ("done", "failed", "e.sock"):
            (self.path / name).unlink(missing_ok=True)

    def write_init(self, script: str) -> None:
        """Seen whole or not at all; 0600, since it may hold a join token."""
        (self.path / "failed").unlink(missing_ok=True)
        _write(self.path / "init", script.encode())

    def forget_init(self) -> None:
        (self.path / "init").unlink(missing_ok=True)

    @property
    def _tags_file(self) -> Path:
        return self.path.with_suffix(TAGS_SUFFIX)

    def write_tags(self, tags: Mapping[str, str]) -> None:
        _write(self._tags_file, msgspec.json.encode(dict(tags)))

    def tags(self) -> Mapping[str, str]:
        """Those that came after the machine was made; none where the file is gone, or broken: then it goes too."""
        try:
            return msgspec.json.decode(self._tags_file.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except ValueError as error:
            log.warning("the later tags of a machine were broken", file=str(self._tags_file), error=str(error))
            with contextlib.suppress(OSError):  # removed, so that it is told once
                self._tags_file.unlink()
            return {}

    def remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.path)
        for file in (self._tags_file, _draft(self._tags_file)):
            file.unlink(missing_ok=True)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _write(path: Path, data: bytes) -> None:
    fresh = _draft(path)
    fresh.unlink(missing_ok=True)
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)  # or a power failure leaves an empty file under the new name
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)  # where the disk is full
