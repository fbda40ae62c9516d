"""One skep under test: a real `skep serve`, the real command line, and a state directory of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.machine import ask
from tests.e2e.waiting import POLL_S, WITHIN_S, eventually
from tests.engines.host import HostEngine

SKEP = Path(sys.executable).parent / "skep"
LOG_LINES = 30


@dataclass
class Skep:
    """A controller with a random name. `state` is short and under /tmp, for the sockets of its machines."""

    engine: HostEngine
    subnet: str
    """The first three numbers of its machines' /24."""
    controller: str = field(default_factory=lambda: f"e{uuid.uuid4().hex[:8]}")
    state: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="skep-", dir="/tmp")))
    server: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        """All that every `skep serve` of this one has said. Beside the state directory, as a service manager's is."""
        return self.state.with_suffix(".log")

    @property
    def socket(self) -> Path:
        """Where its API listens."""
        return self.state / "skep.sock"

    @property
    def environment(self) -> dict[str, str]:
        """This process's own without what would lead to another skep or another engine."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SKEP_", "DOCKER_"))}
        return inherited | {
            "SKEP_STATE_DIR": str(self.state),
            "SKEP_ENGINE": self.engine.endpoint,
            "SKEP_CONTROLLER": self.controller,
            "SKEP_LOG_LEVEL": "debug",
        }

    def start(self) -> None:
        """Start `skep serve` and wait until it answers."""
        with self.log.open("ab") as log:
            self.server = subprocess.Popen([SKEP, "serve"], env=self.environment, stdout=log, stderr=log)
        eventually(self._answers, True, within_s=60)

    def _answers(self) -> bool:
        assert self.server is not None
        assert self.server.poll() is None, f"skep serve ended:\n{self.last_words()}"
        return ask(self.socket, "/v1/status") is not None

    def stop(self) -> float:
        """End it as a service manager would; how long that took, in seconds."""
        return self._end(signal.SIGTERM, 0)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The server does nothing in the block, and then goes on as if it had been slow."""
        assert self.server is not None
        self.server.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.server.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Nothing of it runs on, and nothing of it was warned."""
        self._end(signal.SIGKILL, -signal.SIGKILL)

    def _end(self, signal_number: int, code: int) -> float:
        assert self.server is not None
        began_s = time.monotonic()
        self.server.send_signal(signal_number)
        assert self.server.wait(30) == code, self.last_words()
        self.server = None
        return time.monotonic() - began_s

    def call(self, *arguments: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a command of the command line, whatever comes of it."""
        command = [SKEP, *arguments]
        return subprocess.run(
            command, env=self.environment, input=text, capture_output=True, text=True, timeout=2 * WITHIN_S, check=False
        )

    def run(self, *arguments: str, text: str | None = None) -> str:
        """What a command prints; it has to succeed."""
        done = self.call(*arguments, text=text)
        assert done.returncode == 0, (
            f"skep {' '.join(arguments)} exited {done.returncode}:\n{done.stdout}{done.stderr}\n{self.last_words()}"
        )
        return done.stdout

    def read(self, *arguments: str) -> Any:
        """What a command gives as JSON."""
        return json.loads(self.run(*arguments, "-o", "json"))

    def apply(self, text: str) -> None:
        """Apply specs and wait until all is as they say."""
        self.run("apply", "-f", "-", "--wait", "--timeout", f"{WITHIN_S:g}s", text=text)

    def changes(self, text: str) -> dict[str, str]:
        """Apply specs without waiting: what that did to each key."""
        done = self.run("apply", "-f", "-", "-o", "json", text=text)
        return {one["key"]: one["change"] for one in json.loads(done)}

    def views(self) -> list[dict[str, Any]]:
        """All groups and workloads, as status shows them; asked without a process for each question."""
        status = ask(self.socket, "/v1/status")
        assert status is not None, f"skep serve does not answer:\n{self.last_words()}"
        return [*status["groups"], *status["workloads"]]

    def await_converged(self) -> None:
        """Until it has looked at everything and finds everything as wanted."""
        within = f"{WITHIN_S:g} s"
        end_s = time.monotonic() + WITHIN_S
        while not all(view["converged"] and view["observedAgeSeconds"] >= 0 for view in self.views()):
            assert time.monotonic() < end_s, f"after {within}:\n{self.run('status', '-o', 'wide')}\n{self.last_words()}"
            time.sleep(POLL_S)

    def last_event(self) -> int:
        """The number of the newest event: the same as before when nothing was done."""
        return max((event["seq"] for event in self.read("events")), default=0)

    def last_words(self) -> str:
        """The end of the log, for a failure's message."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_LINES:])

    def remove(self) -> None:
        """End it, and take away all that it made, found without its help."""
        if self.server is not None:
            self.server.kill()
            self.server.wait()
        label = f"label=skep.controller={self.controller}"
        for listing, removal in (
            (("ps", "-aq", "--filter", label), ("rm", "-fv")),
            (("volume", "ls", "-q", "--filter", label), ("volume", "rm", "-f")),
            (("network", "ls", "-q", "--filter", label), ("network", "rm")),
        ):
            if found := self.engine.docker(*listing).split():
                self.engine.docker(*removal, *found)
        shutil.rmtree(self.state)
        self.log.unlink(missing_ok=True)
