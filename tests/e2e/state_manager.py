"""The reference document's commands as it prints them, and a `swarm-cluster-state-manager` to give them to."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.waiting import WITHIN_S, eventually

BIN = Path(sys.executable).parent

BUNDLE = r"""openssl pkcs12 -export \
  -in ~/.docker/machine/certs/cert.pem \
  -inkey ~/.docker/machine/certs/key.pem \
  -out ~/.docker/machine/certs/cert.pfx"""
PROMPTS = ("Enter Export Password:", "Verifying - Enter Export Password:")
PASSWORD = "swarm"

SUBMIT = r"""curl https://<swarm-master-ip>:2476/submit \
  -d '{"Name": "nginx", "Image": "nginx:1.9.6", "Count": 5}' \
  --cacert ~/.docker/machine/certs/ca.pem \
  --cert ~/.docker/machine/certs/cert.pfx \
  --pass swarm"""
STATUS = r"""curl https://<swarm-master-ip>:2476/status \
  --cacert ~/.docker/machine/certs/ca.pem \
  --cert ~/.docker/machine/certs/cert.pfx \
  --pass swarm"""

FLAGS = (
    "--addr=0.0.0.0:2476", "--swarm-manager=tcp://203.0.113.13:3376", "--tlscacert=/etc/docker/ca.pem",
    "--tlscert=/etc/docker/server.pem", "--tlskey=/etc/docker/server-key.pem",
)  # fmt: skip
"""Of its docker-compose.yml, with the one port."""


@dataclass
class Program:
    """A server of the document, run as `words`. `inside` goes before commands that shall reach it.

    `home` is where `~/.docker/machine/certs` is, with the files of a client.
    """

    words: Sequence[str]
    home: Path
    port: int = 2476
    inside: tuple[str, ...] = ()
    state: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="skep-", dir="/tmp")))
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        return self.state.with_suffix(".log")

    @property
    def environment(self) -> dict[str, str]:
        """A host without an engine of its own, whose user's home is `home`."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SKEP_", "DOCKER_"))}
        own = {"HOME": str(self.home), "SKEP_STATE_DIR": str(self.state), "DOCKER_CONTEXT": "nowhere"}
        return inherited | own | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}

    def start(self) -> None:
        """Until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*self.inside, *self.words], env=self.environment, stdout=log, stderr=log)
        eventually(self._answers, True, within_s=60)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        return self.sh(f"exec 3<>/dev/tcp/127.0.0.1/{self.port}").returncode == 0

    def kill(self) -> None:
        """It is warned of nothing."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def lines(self) -> list[str]:
        """The messages of the log, without their time, level and fields."""
        messages = [re.sub(r"^\S+ \S+ \[\w+\s*\] |^\S+ \[\w+\s*\] ", "", line) for line in self.said().splitlines()]
        return [re.split(r"\s{2,}|\s+\w+=", line)[0] for line in messages]

    def sh(self, script: str) -> "subprocess.CompletedProcess[str]":
        """A user's shell beside it."""
        command = [*self.inside, "bash", "-c", script]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=WITHIN_S, check=False
        )

    def printed(self, command: str, *more: str) -> Any:
        """What a command of the document answers, at this address; curl with OpenSSL is told what a bundle is."""
        here = command.replace("<swarm-master-ip>:2476", f"127.0.0.1:{self.port}")
        done = self.sh(" ".join([here.replace("curl ", "curl -sS --fail-with-body "), "--cert-type P12", *more]))
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{self.said()[-3000:]}"
        return json.loads(done.stdout)

    def submit(self, *more: str, **fields: object) -> str:
        """The document's submission with other fields: what it changed."""
        given = re.search("'({.*})'", SUBMIT)
        assert given
        body = json.dumps(json.loads(given[1]) | fields)
        return str(self.printed(SUBMIT.replace(given[1], body), *more)["change"])

    def ask(self, method: str, path: str) -> Any:
        """What the document has no command for, in its way."""
        return self.printed(STATUS.replace("/status", path), "-X", method)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Desired and current of each object."""
        return {one["Name"]: (one["DesiredCount"], one["CurrentCount"]) for one in self.printed(STATUS)}


@contextmanager
def running(program: Program) -> Iterator[Program]:
    """Until the block ends, which it must in good order."""
    try:
        program.start()
        yield program
        assert program.process is not None
        program.process.terminate()
        assert program.process.wait(30) == 0, program.said()
        assert "Traceback" not in program.said()
    finally:
        if program.process is not None:
            program.process.kill()
            program.process.wait()


def typed(script: str, answers: Sequence[tuple[str, str]], environment: dict[str, str]) -> None:
    """Run it on a terminal of its own, and type each answer when its prompt shows."""
    ours, theirs = os.openpty()
    command = ["setsid", "--ctty", "--wait", "bash", "-ec", script]
    process = subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        for prompt, answer in answers:
            while not shown.rstrip().endswith(prompt.encode()):
                shown += os.read(ours, 4096)
            os.write(ours, f"{answer}\n".encode())
            shown = b""
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
