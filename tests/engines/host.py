"""A Docker Engine of the tests' own: nothing of it is shared with the host's, and nothing of it is left."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

READY_WITHIN_S = 30
END_WITHIN_S = 30

# A network namespace for each engine: two engines on one host flush each other's firewall chains and share docker0,
# and the bridges that Swarm makes would outlive them. The kernel removes all of it with the last process.
_COMMAND = (
    'ip link set lo up; ip address add "$1/32" dev lo; "$2" "$3" "$1" & dns=$1; shift 3; '
    'if [ -n "$LISTEN_FDS" ]; then export LISTEN_PID=$$; exec 3<&"$LISTENER"; fi; '
    'exec dockerd --config-file "$0/daemon.json" --data-root "$0/d" --exec-root "$0/x" --dns "$dns" '
    '--pidfile "$0/pid" -H "unix://$0/docker.sock" --storage-driver overlay2 --log-level warn "$@"'
)
NAME_SERVER = "10.255.255.53"
RESOLVER = Path(__file__).with_name("resolver.py")


@dataclass(frozen=True)
class HostEngine:
    """An engine that runs. `pid` is dockerd's; its network namespace is where published ports are."""

    folder: Path
    pid: int

    @property
    def endpoint(self) -> str:
        return f"unix://{self.folder / 'docker.sock'}"

    def docker(self, *arguments: str) -> str:
        """What docker's own client answers; CalledProcessError when it fails."""
        command = ["docker", "-H", self.endpoint, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip()

    def inside(self, *command: str) -> str:
        """The output of a command that runs in the engine's network, where machines can be reached by address."""
        enter = ["nsenter", "--net", f"--target={self.pid}", *command]
        return subprocess.run(enter, capture_output=True, text=True, check=True, timeout=60).stdout


class EngineMissingError(AssertionError):
    """These tests can't be left out: what they need has to be there."""


@contextlib.contextmanager
def host_engine(options: Sequence[str] = (), listener: socket.socket | None = None) -> Iterator[HostEngine]:
    """An engine from an empty disk, with all that it made removed at the end.

    `options` are dockerd's. With `-H fd://` it takes connections of `listener`, a socket of our own network.
    The folder is short and under /tmp, since the paths of its machines' sockets have at most 107 bytes.
    """
    missing = [name for name in ("dockerd", "docker", "unshare", "ip") if shutil.which(name) is None]
    if missing:
        raise EngineMissingError(
            f"tests marked docker need {', '.join(missing)} on the PATH: scripts/test installs them"
        )
    folder = Path(tempfile.mkdtemp(prefix="skep-", dir="/tmp"))
    (folder / "daemon.json").write_text("{}")
    passed = (listener.fileno(),) if listener else ()
    environ = os.environ | ({"LISTEN_FDS": "1", "LISTENER": str(passed[0])} if passed else {})
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--net", "bash", "-c", _COMMAND, str(folder), NAME_SERVER, sys.executable, RESOLVER, *options],
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=passed,
            env=environ,
        )
    try:
        _await_ready(folder, process)
        yield HostEngine(folder, process.pid)
    finally:
        _end(folder, process)


def _await_ready(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    end_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end_s:
        if process.poll() is not None:
            raise EngineMissingError(f"the tests' dockerd ended at once:\n{_tail(folder)}")
        if _answers(folder / "docker.sock"):
            return
        time.sleep(0.05)
    raise EngineMissingError(f"the tests' dockerd did not answer within {READY_WITHIN_S} s:\n{_tail(folder)}")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
            probe.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200" in probe.recv(64)
        except OSError:
            return False


def _tail(folder: Path) -> str:
    return "\n".join((folder / "log").read_text(errors="replace").splitlines()[-20:])


def _end(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    """Containers first: machines that are killed with their engine would leave their processes."""
    if process.poll() is None:
        engine = HostEngine(folder, process.pid)
        with contextlib.suppress(subprocess.SubprocessError):
            if containers := engine.docker("ps", "-aq").split():
                engine.docker("rm", "-fv", *containers)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        mount = line.split()[1]
        if mount.startswith(f"{folder}{os.sep}"):
            subprocess.run(["umount", "-l", mount], check=False)
    shutil.rmtree(folder)
