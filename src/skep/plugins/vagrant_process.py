"""Vagrant as a process: limited in number and in time, stopped when nobody waits, and quoted without secrets."""

import asyncio
import os
import re
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from skep.model.errors import RejectedError, UnavailableError
from skep.plugins.vagrant_layout import LOG

UP_MAX_S = 3600.0
"""A box of a few GiB is fetched within an hour, or it is not."""
DESTROY_MAX_S = 600.0
"""A hypervisor that takes ten minutes to remove a machine hangs."""
SIMULTANEOUS = 4
"""Machines that come up, and that go, at the same time: each reads gigabytes of its box, and Vagrant itself lets
providers import boxes one after the other."""
STOP_WITHIN_S = 5.0
"""Vagrant that was told to stop ends its step first; who waits longer is killed by whoever ends this program."""

TAIL_BYTES = 16 * 1024
TAIL_LINES = 15

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_TOKEN = re.compile(r"SWMTKN-[\w-]+")
_ECHO = re.compile(r"^(?:\s*[\w.-]+: )?\s*\++ ")
"""What a shell with `set -x` prints of the script that it runs, behind Vagrant's name of the machine."""
_SECRET = re.compile(r"(?<![^\s'\"=])(?![-/])(?=[^\s'\"=]*[A-Za-z])[^\s'\"=]{12,}")
"""A word of a script that may be a secret: long, and no option, path or address."""
LINE_MIN = 8
"""Characters of a line of a script that is known when it is repeated: shorter ones are found in any text."""


class Vagrant:
    """The program `vagrant`, run in folders of machines."""

    def __init__(self, program: str = "vagrant", simultaneous: int = SIMULTANEOUS) -> None:
        self._program = program
        self._rising, self._falling = asyncio.Semaphore(simultaneous), asyncio.Semaphore(simultaneous)
        self._stops: set[asyncio.Task[None]] = set()

    async def up(self, folder: Path, provider: str, script: str) -> None:
        """`vagrant up`, with the folder's Vagrantfile. RejectedError has the end of what Vagrant said, and nothing of
        the script; UnavailableError when it took too long."""
        arguments = ["up", *(["--provider", provider] if provider else [])]
        async with self._rising:
            await self._run(arguments, folder, UP_MAX_S, script)

    async def destroy(self, folder: Path, script: str) -> None:
        """`vagrant destroy -f`; errors as with `up`."""
        async with self._falling:
            await self._run(["destroy", "-f"], folder, DESTROY_MAX_S, script)

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
        if status != 0:
            ended = f"exit status {status}" if status > 0 else signal.Signals(-status).name
            raise RejectedError(f"{said} failed: {ended}{_quoted(folder / LOG, script)}")

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        """Who is cancelled once more does not wait for it, but `close` does."""
        task = asyncio.create_task(_stop(process))
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)
        await asyncio.shield(task)

    async def close(self) -> None:
        """Return when every Vagrant that was told to stop has ended."""
        await asyncio.gather(*self._stops, return_exceptions=True)

    async def _started(self, arguments: Sequence[str], folder: Path) -> asyncio.subprocess.Process:
        """In a session of its own, so that an interrupt in the terminal is first of all ours. It writes into a file:
        hypervisors that it starts inherit that and live on, and with a pipe its end would never be seen."""
        descriptor = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            return await asyncio.create_subprocess_exec(
                self._program,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=asyncio.subprocess.STDOUT,
                env=os.environ | {"VAGRANT_CWD": str(folder)},
                start_new_session=True,
            )
        except (FileNotFoundError, PermissionError) as error:
            raise RejectedError(
                f"the program {self._program} can't be run ({error.strerror}): install Vagrant where this plugin runs"
            ) from error
        finally:
            os.close(descriptor)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """An interrupt lets Vagrant end its step and release its locks; what remains of it after a while is killed."""
    try:
        _signal(process, signal.SIGINT)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_WITHIN_S):
                await process.wait()
    finally:
        _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """To Vagrant and to what it runs, such as ssh; hypervisors have sessions of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _quoted(log: Path, script: str) -> str:
    with suppress(OSError), log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
        tail = without_secrets(text.partition("\n")[2] if size > TAIL_BYTES else text, script)
        if tail:
            return f":\n{tail}"
    return ""


def without_secrets(output: str, script: str) -> str:
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
    return "\n".join(kept[-TAIL_LINES:])


def _blotted(line: str, words: Sequence[str]) -> str:
    for word in words:
        line = line.replace(word, "…")
    return _TOKEN.sub("SWMTKN-…", line)
