"""An OpenSSH server of the tests' own: on a loopback port, with keys that last as long as the test."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.engines.host import EngineMissingError

READY_WITHIN_S = 10
PRIVILEGE_SEPARATION = Path("/run/sshd")
"""sshd wants it to be there, empty, whatever its settings."""

_SERVER = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""

_CLIENT = """
IdentityFile {identity}
IdentitiesOnly yes
UserKnownHostsFile {known}
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
"""


@dataclass(frozen=True)
class Sshd:
    """A server that lets in whoever has the key. `folder` has the settings that OpenSSH's client reaches it with."""

    folder: Path
    port: int

    @property
    def ssh(self) -> tuple[str, ...]:
        return ("ssh", "-F", str(self.folder / "client"))

    @property
    def stranger(self) -> tuple[str, ...]:
        """With a key that opens nothing."""
        return ("ssh", "-F", str(self.folder / "stranger"))

    @property
    def mistrusting(self) -> tuple[str, ...]:
        """Expecting another server."""
        return ("ssh", "-F", str(self.folder / "mistrusting"))


@contextlib.contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """It and all its connections end with the context."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
    if program is None:
        raise EngineMissingError("tests of ssh need sshd: scripts/setup --dev installs it")
    PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    server = _settings(folder)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "server")], stderr=log)
    try:
        _await_ready(server, process)
        yield server
    finally:
        process.terminate()
        process.wait()


def _settings(folder: Path) -> Sshd:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for key in ("host", "user", "foreign"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(command, check=True, timeout=30)
    shutil.copy(folder / "user.pub", folder / "authorized")
    for known, key in (("known", "host"), ("mistaken", "foreign")):
        (folder / known).write_text(f"[127.0.0.1]:{port} {(folder / f'{key}.pub').read_text()}")
    (folder / "server").write_text(_SERVER.format(port=port, folder=folder))
    for client, identity, known in (
        ("client", "user", "known"),
        ("stranger", "foreign", "known"),
        ("mistrusting", "user", "mistaken"),
    ):
        (folder / client).write_text(_CLIENT.format(identity=folder / identity, known=folder / known))
    return Sshd(folder, port)


def _await_ready(server: Sshd, process: "subprocess.Popen[bytes]") -> None:
    end_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end_s and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        time.sleep(0.05)
    raise EngineMissingError(f"the tests' sshd does not answer:\n{(server.folder / 'log').read_text()}")
