"""InfraKit's programs, installed under their names, as processes in a home of their own."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.waiting import eventually

PROGRAMS = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
ENDED_S = 30.0


@dataclass
class Programs:
    """A user's: what runs, and how it is asked. Commands run where the checkout is, as the documents have them."""

    home: Path
    stack: ExitStack
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def plugins(self) -> Path:
        return self.home / ".infrakit" / "plugins"

    @staticmethod
    def command(line: str) -> list[str]:
        words = line.split()
        return [str(PROGRAMS / words[0]), *words[1:]]

    def start(self, line: str, name: str) -> None:
        """Start a program, and wait until it listens under its name."""
        log = self.stack.enter_context((self.home / f"{name}.log").open("ab"))
        program = subprocess.Popen(self.command(line), stdout=log, stderr=log, env=self.environ(), cwd=ROOT)
        self.started.append(program)
        eventually(lambda: (program.poll(), self._answers(name)), (None, True), poll_s=0.02)

    def _answers(self, name: str) -> bool:
        """A socket file may be that of a program which is no more."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.plugins / name)) == 0

    def run(self, line: str) -> str:
        """What a command printed; it has to succeed."""
        done = subprocess.run(
            self.command(line), capture_output=True, text=True, env=self.environ(), cwd=ROOT, timeout=120, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}\n{self.logs()}"
        assert done.stderr == ""
        return done.stdout

    def lines(self, line: str) -> int:
        """How many lines a command printed."""
        return len(self.run(line).splitlines())

    def environ(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("INFRAKIT_", "SKEP_"))}
        return {**inherited, "HOME": str(self.home)}

    def logs(self) -> str:
        """What all programs have said, for a failure."""
        return "\n".join(f"{file.name}: {file.read_text()[-3000:]}" for file in sorted(self.home.glob("*.log")))

    def stop(self) -> list[int]:
        """End all with SIGTERM, the last first; their exit codes."""
        for program in reversed(self.started):
            if program.poll() is None:
                program.terminate()
        return [program.wait(ENDED_S) for program in self.started]


@contextmanager
def programs() -> Iterator[Programs]:
    """Programs in a new home; nothing of them is left after the block, in which they have to be stopped."""
    with tempfile.TemporaryDirectory(prefix="ik") as home, ExitStack() as stack:
        made = Programs(Path(home), stack)
        try:
            yield made
        finally:
            for program in made.started:
                program.kill()
                program.wait(ENDED_S)
