"""Vagrant as a process: limited in number and in time, stopped when nobody waits, and quoted without secrets."""

import asyncio
import errno
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from skep.model.errors import NotFoundError, RejectedError, UnavailableError
from skep.plugins.vagrant_layout import FULL, LOG, notes_folder
from skep.plugins.vagrant_record import STARTED, at_work, forget

log = structlog.get_logger()

UP_MAX_S = 3600.0
"""A box of a few GiB is fetched within an hour, or it is not."""
DESTROY_MAX_S = 600.0
"""A hypervisor that takes ten minutes to remove a machine hangs."""
SIMULTANEOUS = 4
"""Machines that come up, and that go, at the same time: each reads gigabytes of its box, and Vagrant itself lets
providers import boxes one after the other."""
STOP_WITHIN_S = 5.0
"""Vagrant that was told to stop ends its step first; who waits longer is killed by whoever ends this program."""

POLL_S = 0.05
"""Between looks at a Vagrant that is no child of ours, of which nobody tells when it ends."""

NOTES, CHECKPOINT = "VAGRANT_DOTFILE_PATH", "VAGRANT_CHECKPOINT_DISABLE"

TAIL_BYTES = 16 * 1024
TAIL_LINES = 15

LOG_ROOM = 4096
"""Bytes: Vagrant says less than that when it removes a machine."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_UNUSABLE = re.compile(
    r"No usable default provider|isn't\s+usable on this system|The provider '[^']*' could not be found"
)
CHOOSE = "the property Provider or VAGRANT_DEFAULT_PROVIDER chooses another provider"
_TOKEN = re.compile(r"SWMTKN-[\w-]+")
_ECHO = re.compile(r"^(?:\s*[\w.-]+: )?\s*\++ ")
"""What a shell with `set -x` prints of the script that it runs, behind Vagrant's name of the machine."""
_SECRET = re.compile(r"(?<![^\s'\"=])(?![-/])(?=[^\s'\"=]*[A-Za-z])[^\s'\"=]{12,}")
"""A word of a script that may be a secret: long, and no option, path or address."""
LINE_MIN = 8
"""Characters of a line of a script that is known when it is repeated: shorter ones are found in any text."""


class Vagrant:
    """The program `vagrant`, run in folders of machines."""

    def __init__(
        self,
        program: str = "vagrant",
        simultaneous: int = SIMULTANEOUS,
        environ: Mapping[str, str] = os.environ,
        stop_within_s: float = STOP_WITHIN_S,
    ) -> None:
        self._program, self._environ, self._stop_within_s = program, environ, stop_within_s
        self._rising, self._falling = asyncio.Semaphore(simultaneous), asyncio.Semaphore(simultaneous)
        self._stops: set[asyncio.Task[None]] = set()

    async def up(self, folder: Path, provider: str, script: str) -> None:
        """`vagrant up`, with the folder's Vagrantfile. RejectedError has the end of what Vagrant said, and nothing of
        the script; UnavailableError when it took too long."""
        arguments = ["up", *(["--provider", provider] if provider else [])]
        async with self._rising:
            await self._run(arguments, folder, UP_MAX_S, script)

    async def destroy(self, folder: Path, script: str) -> None:
        """`vagrant destroy -f`; errors as with `up`. A Vagrant that a process which died left at work is ended first:
        it holds Vagrant's lock, and would make the machine after it was forgotten."""
        await self._end_left_over(folder)
        async with self._falling:
            await self._run(["destroy", "-f"], folder, DESTROY_MAX_S, script)

    def holds(self, folder: Path) -> bool:
        """Whether there may be a machine: Vagrant noted one, or is at work."""
        notes = notes_folder(folder, self._environ.get(NOTES, ""))
        return at_work(folder) is not None or any(notes.glob("machines/*/*/id"))

    async def _end_left_over(self, folder: Path) -> None:
        """UnavailableError if it can't be ended. Those of ours that are being stopped are not told twice: that would
        keep Vagrant from cleaning up."""
        await self.close()
        for number in (signal.SIGINT, signal.SIGKILL):
            pid = at_work(folder)
            if pid is None:
                return
            log.warning("a vagrant that was left at work is stopped", machine=folder.name, pid=pid, signal=number.name)
            _signal(pid, number)
            with suppress(TimeoutError):
                await self._ended(folder)
                _signal(pid, signal.SIGKILL)
        if pid := at_work(folder):
            raise UnavailableError(f"vagrant (process {pid}) is at work in {folder} and can't be stopped")

    async def _ended(self, folder: Path) -> None:
        """TimeoutError if it takes too long."""
        async with asyncio.timeout(self._stop_within_s):
            while at_work(folder):  # noqa: ASYNC110 - the end of a process that is no child of ours is told by nobody
                await asyncio.sleep(POLL_S)

    async def _run(self, arguments: Sequence[str], folder: Path, limit_s: float, script: str) -> None:
        said = f"vagrant {' '.join(arguments)}"
        process = await self._started(arguments, folder)
        try:
            async with asyncio.timeout(limit_s):
                status = await process.wait()
        except TimeoutError as error:
            await self._stop(process)
            raise UnavailableError(f"{said} took more than {limit_s:.0f} s{_quoted(folder / LOG, script)}") from error
        except BaseException:
            await self._stop(process)
            raise
        forget(folder)
        if status != 0:
            ended = f"exit status {status}" if status > 0 else signal.Signals(-status).name
            words = _quoted(folder / LOG, script)
            raise RejectedError(f"{said} failed: {ended}{f' ({CHOOSE})' if _UNUSABLE.search(words) else ''}{words}")

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        """Who is cancelled once more does not wait for it, but `close` does."""
        task = asyncio.create_task(_stop(process, self._stop_within_s))
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)
        await asyncio.shield(task)

    async def close(self) -> None:
        """Return when every Vagrant that was told to stop has ended."""
        await asyncio.gather(*self._stops, return_exceptions=True)

    async def _started(self, arguments: Sequence[str], folder: Path) -> asyncio.subprocess.Process:
        """In a session of its own, so that an interrupt in the terminal is first of all ours. It writes into a file:
        hypervisors that it starts inherit that and live on, and with a pipe its end would never be seen."""
        try:
            program = find_vagrant(self._environ, self._program)
        except NotFoundError as error:
            raise RejectedError(str(error)) from error
        descriptor = _log_or_nothing(folder)
        try:
            return await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", STARTED, "sh", str(folder), program, *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment(folder),
                start_new_session=True,
            )
        finally:
            os.close(descriptor)

    def _environment(self, folder: Path) -> dict[str, str]:
        """A place of notes that machines would share is not passed on. Vagrant asks its makers for a newer version only
        where the environment tells it to: a host without a way out would wait for that at every machine."""
        notes = notes_folder(folder, self._environ.get(NOTES, ""))
        return {CHECKPOINT: "1", **self._environ, "VAGRANT_CWD": str(folder), NOTES: str(notes)}


def find_vagrant(environ: Mapping[str, str], program: str = "vagrant") -> str:
    """The program's path. NotFoundError says what to do."""
    if path := shutil.which(program, path=environ.get("PATH", os.defpath)):
        return path
    raise NotFoundError(f"found no {program} on the PATH: install Vagrant where this plugin runs")


def _log_or_nothing(folder: Path) -> int:
    """A descriptor for what Vagrant prints: of the machine's log, or of nothing on a full disk. Vagrant ends where it
    can't print, and would not remove what fills the disk."""
    try:
        return _emptied(folder / LOG)
    except OSError as error:
        if error.errno not in FULL:
            raise
    log.warning("the disk is full: what vagrant says is lost", machine=folder.name)
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def _emptied(path: Path) -> int:
    """A descriptor of a file with nothing in it; OSError where the disk does not take some lines."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        taken = os.write(descriptor, bytes(LOG_ROOM))
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        if taken < LOG_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


async def _stop(process: asyncio.subprocess.Process, within_s: float) -> None:
    """An interrupt lets Vagrant end its step and release its locks; what remains of it after a while is killed."""
    try:
        _signal(process.pid, signal.SIGINT)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await process.wait()
    finally:
        _signal(process.pid, signal.SIGKILL)
    await process.wait()


def _signal(pid: int, number: signal.Signals) -> None:
    """To Vagrant and to what it runs, such as ssh; hypervisors have sessions of their own. Nothing happens to what
    has ended, or is not ours."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _quoted(log: Path, script: str) -> str:
    with suppress(OSError):
        if tail := without_secrets(last_text(log, TAIL_BYTES), script):
            return f":\n{tail}"
    return ""


def last_text(log: Path, bytes_max: int) -> str:
    """The end of a file, in whole lines; a file that is longer loses its beginning."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - bytes_max))
        text = file.read().decode(errors="replace")
    return text.partition("\n")[2] if size > bytes_max else text


def without_secrets(output: str, script: str, lines_max: int = TAIL_LINES) -> str:
    """The last lines of what Vagrant printed, without what a script may have told it.

    Left out are lines that a shell echoes, lines that repeat a line of the script, and join tokens and long words of
    the script wherever they are.
    """
    lines = {line.strip() for line in script.splitlines() if len(line.strip()) >= LINE_MIN}
    words = sorted(set(_SECRET.findall(script)), key=len, reverse=True)
    kept = []
    for line in _CONTROL.sub("", output.replace("\r", "\n")).splitlines():
        if line.strip() and not _ECHO.match(line) and not any(told in line for told in lines):
            kept.append(_blotted(line.rstrip(), words))
    return "\n".join(kept[-lines_max:])


def _blotted(line: str, words: Sequence[str]) -> str:
    for word in words:
        line = line.replace(word, "…")
    return _TOKEN.sub("SWMTKN-…", line)
