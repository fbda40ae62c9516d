"""InfraKit's programs as real processes, in a home and a folder of plugins of their own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_S = 30.0
"""A busy machine takes seconds to import everything."""


class Bench:
    """`home` is the programs' home. Programs are named by their module in skep.programs."""

    def __init__(self, home: Path) -> None:
        self.home, self.plugins = home, home / "p"
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, module: str, name: str, *flags: str) -> None:
        """Begin it, and wait until its socket answers."""
        self.begin(module, name, *flags)
        self.wait(name)

    def begin(self, module: str, name: str, *flags: str) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", f"skep.programs.{module}", "--name", name, *flags],
                env=self._environ(),
                stdout=log,
                stderr=log,
            )

    def wait(self, name: str) -> None:
        deadline_s = time.monotonic() + START_S
        while not _accepts(self.plugins / name):
            assert self._running[name].poll() is None, self.log(name)
            assert time.monotonic() < deadline_s, self.log(name)
            time.sleep(0.02)

    def run(self, module: str, *flags: str) -> subprocess.CompletedProcess[str]:
        """A program that is expected to end by itself."""
        command = [sys.executable, "-m", f"skep.programs.{module}", *flags]
        return subprocess.run(
            command, env=self._environ(), capture_output=True, text=True, timeout=START_S, check=False
        )

    def _environ(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.home), "INFRAKIT_PLUGINS_DIR": str(self.plugins)}

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def kill(self, name: str) -> None:
        """As a crash: its socket stays."""
        process = self._running.pop(name)
        process.kill()
        process.wait(10)

    async def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """How it ended."""
        process = self._running.pop(name)
        process.send_signal(number)
        return await asyncio.to_thread(process.wait, 20)

    def end(self) -> None:
        for name in list(self._running):
            self.kill(name)


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Whatever still runs is killed at the end. Sockets have short paths only: `folder` should be one."""
    made = Bench(folder)
    try:
        yield made
    finally:
        made.end()


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
