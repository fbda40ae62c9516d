"""Terraform's or OpenTofu's program: its commands, what they print, and how long they may take.

Errors are told from the machine-readable output by their summary and detail alone: the snippets beside them show the
files, in which Init stands with its join token.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from skep.model.errors import NotFoundError, UnavailableError

PROGRAMS = ("terraform", "tofu")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long commands may take.

    read_s: the state of a remote backend comes in seconds. plan_s: a plan asks the cloud for each machine, and init
    downloads providers of some hundred megabytes. apply_s: clouds take minutes for a machine, and ten are made at once.
    end_s: after an interrupt Terraform waits for what it has begun, and writes its state.
    """

    read_s: float = 60.0
    plan_s: float = 600.0
    apply_s: float = 3600.0
    end_s: float = 60.0


DEFAULT_TIMEOUTS = Timeouts()
STATE_LOCK_WAIT = "-lock-timeout=60s"
"""A user's own apply in the same folder is waited for."""

DETAIL_CHARS_MAX = 600
TEXT_CHARS_MAX = 2000
"""Of an error: the end says what happened."""

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_SNIPPET = re.compile(r"^[\s│|]*(\d+:|on .* line \d+).*$", re.MULTILINE)
_BOX = re.compile(r"^[╷│╵ ]+", re.MULTILINE)
_NEEDS_INIT = re.compile(r"(terraform|tofu) init|required plugins|[Bb]ackend initialization|Could not load plugin")


class NotInitialisedError(UnavailableError):
    """The folder needs `init` first."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error as Terraform tells it. `address` and `file` are empty where it blames nobody."""

    summary: str
    detail: str = ""
    address: str = ""
    file: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.summary, self.detail[-DETAIL_CHARS_MAX:].strip()) if part)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended. `changes` are those that a plan makes: address to action."""

    ok: bool
    errors: tuple[Diagnostic, ...] = ()
    changes: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All errors in words, the last of them if there are many."""
        return "; ".join(map(str, self.errors))[-TEXT_CHARS_MAX:]

    @property
    def needs_init(self) -> bool:
        """Whether it failed for want of `init`."""
        return any(_NEEDS_INIT.search(f"{error.summary} {error.detail}") for error in self.errors)


class _Range(msgspec.Struct):
    filename: str = ""


class _Told(msgspec.Struct):
    severity: str = ""
    summary: str = ""
    detail: str = ""
    address: str = ""
    range: _Range | None = None


class _Resource(msgspec.Struct):
    addr: str = ""


class _Change(msgspec.Struct):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    action: str = ""


class _Line(msgspec.Struct):
    type: str = ""
    diagnostic: _Told | None = None
    change: _Change | None = None


def find_program(given: str, environ: Mapping[str, str]) -> str:
    """The path of the program that was named, else of the first that is there. NotFoundError says what was tried."""
    for name in (given,) if given else PROGRAMS:
        if path := shutil.which(name, path=environ.get("PATH", os.defpath)):
            return path
    tried = given or " nor ".join(PROGRAMS)
    raise NotFoundError(f"found no {tried} on the PATH: install Terraform or OpenTofu, or name one with --program")


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the program runs in: nothing that asks questions, looks for news, or logs what it is told.

    A configuration file that is not there would be warned about in every answer.
    """
    left_out = {"TF_LOG", "TF_LOG_CORE", "TF_LOG_PROVIDER"}
    if not Path(environ.get("TF_CLI_CONFIG_FILE", "/")).exists():
        left_out.add("TF_CLI_CONFIG_FILE")
    kept = {name: value for name, value in environ.items() if name not in left_out}
    return {**kept, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}


class TerraformProgram:
    """The commands of one folder. What they write is for its owner alone: the state holds what machines were given."""

    def __init__(self, program: str, folder: Path, environ: Mapping[str, str], timeouts: Timeouts) -> None:
        self._program, self._folder, self._environ = program, folder, environment(environ)
        self._timeouts = timeouts

    async def init(self, lock: int) -> Outcome:
        """Fetch the providers that the files ask for, and set up the backend."""
        return await self._told(["init", "-input=false", "-no-color"], self._timeouts.plan_s, lock)

    async def plan(self, targets: Sequence[str], file: Path, lock: int) -> Outcome:
        """What has to be done for these resources, into a file that `apply` takes."""
        options = ["-input=false", "-no-color", "-json", STATE_LOCK_WAIT, f"-out={file}"]
        return await self._told(["plan", *options, *(f"-target={t}" for t in targets)], self._timeouts.plan_s, lock)

    async def apply(self, file: Path, lock: int) -> Outcome:
        """Do what was planned. It goes on, and holds the lock, when this process ends before it."""
        options = ["-input=false", "-no-color", "-json", STATE_LOCK_WAIT]
        return await self._told(["apply", *options, str(file)], self._timeouts.apply_s, lock)

    async def state(self) -> bytes:
        """The state as JSON, empty where there is none yet. Takes no lock, so that no apply holds it up.

        NotInitialisedError where `init` is missing. Unlike `show -json` this needs no provider, of which loading the
        large ones takes seconds, and which may be the very thing that is missing.
        """
        code, out, err = await self._run(["state", "pull"], self._timeouts.read_s)
        if code:
            text = f"could not read Terraform's state in {self._folder}: {_plain(err)}"
            raise NotInitialisedError(text) if _NEEDS_INIT.search(text) else UnavailableError(text)
        return out

    async def _told(self, arguments: Sequence[str], timeout_s: float, lock: int) -> Outcome:
        code, out, err = await self._run(arguments, timeout_s, lock)
        return outcome(code, out, err)

    async def _run(self, arguments: Sequence[str], timeout_s: float, lock: int = -1) -> tuple[int, bytes, bytes]:
        """Exit code and what was printed. Into files, for a pipe would break when this process ends."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self._start(arguments, out, err, lock)
            try:
                async with asyncio.timeout(timeout_s):
                    code = await _ended(process)
            except TimeoutError as error:
                await _interrupted(process, self._timeouts.end_s)
                raise UnavailableError(
                    f"{Path(self._program).name} {arguments[0]} did not end within {timeout_s:g} s and was interrupted"
                ) from error
            except asyncio.CancelledError:
                if arguments[0] != "apply" and process.poll() is None:
                    process.kill()
                raise
            return code, _read(out), _read(err)

    def _start(self, arguments: Sequence[str], out: BinaryIO, err: BinaryIO, lock: int) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(  # starting one takes a millisecond; that it ends is waited for elsewhere
                [self._program, *arguments],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                umask=0o077,
                pass_fds=(lock,) if lock >= 0 else (),
            )
        except OSError as error:
            raise UnavailableError(f"could not run {self._program} in {self._folder}: {error.strerror}") from error


def outcome(code: int, out: bytes, err: bytes) -> Outcome:
    """What a command's lines tell; where they tell of no error and it failed, the end of what it printed."""
    lines = [line for line in map(_line, out.splitlines()) if line is not None]
    told = [line.diagnostic for line in lines if line.diagnostic and line.diagnostic.severity == "error"]
    errors = [Diagnostic(d.summary, d.detail, d.address, d.range.filename if d.range else "") for d in told]
    if code and not errors:
        errors = [Diagnostic(_plain(err) or _plain(out) or f"it ended with exit code {code}")]
    changes = {line.change.resource.addr: line.change.action for line in lines if line.change is not None}
    return Outcome(code == 0, tuple(errors), changes)


def _line(text: bytes) -> _Line | None:
    try:
        line = msgspec.json.decode(text, type=_Line)
    except msgspec.DecodeError:
        return None
    return line if line.type in ("diagnostic", "planned_change") else None


def _plain(text: bytes) -> str:
    """The end of what it printed for people, on one line, without the lines of files that it shows."""
    words = _SNIPPET.sub("", _BOX.sub("", _COLOR.sub("", text.decode(errors="replace"))))
    return " ".join(words.split())[-TEXT_CHARS_MAX:]


def _read(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


async def _ended(process: "subprocess.Popen[bytes]") -> int:
    """Waits without a thread. Python's own subprocess of asyncio kills its child when the loop ends."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return process.wait()


async def _interrupted(process: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    """Ask it to end as a user does at the keyboard, and make it end if it does not."""
    process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(timeout_s):
            await _ended(process)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)  # with what it has started
        await _ended(process)
