"""`swarm-cluster-state-manager` as a process: the document's flags, commands and log lines (semantics.md W53)."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from skep.model.cluster import TlsFiles
from skep.model.errors import InvalidError
from skep.programs.cluster_state_manager import Flags, main, settings_of
from skep.server.reference_log import reference_words
from tests.adapters.certified import server, with_ca
from tests.e2e.waiting import eventually
from tests.engines.certificates import Authority

PROGRAM = (sys.executable, "-m", "skep.programs.cluster_state_manager")
WITHIN_S = 60
NOWHERE = "tcp://127.0.0.1:1"
LINES = ("updating", "creating", "created", "removing", "removed", "Starting")


@dataclass
class Manager:
    """One that runs. `files` are the three that its flags name, a client's as well."""

    home: Path
    files: TlsFiles
    address: str
    process: "subprocess.Popen[bytes]"

    def curl(
        self, path: str, *words: str, identity: tuple[str, ...] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """As the document has it; `identity` is how the certificate is given, if not as two files in PEM."""
        shown = ("--cert", self.files.cert, "--key", self.files.key) if identity is None else identity
        command = ["curl", "-sS", f"https://{self.address}{path}", *words, "--cacert", self.files.ca, *shown]
        return subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)

    def submit(self, **spec: object) -> dict[str, Any]:
        answer = json.loads(self.curl("/submit", "-d", json.dumps(spec)).stdout)
        assert isinstance(answer, dict)
        return answer

    def status(self) -> Any:
        return json.loads(self.curl("/status").stdout)

    def said(self) -> str:
        return (self.home / "log").read_text()

    def lines(self) -> list[str]:
        """The messages that the document has, in their order."""
        messages = [re.sub(r"^\S+ \[\w+\s*\] ", "", line) for line in self.said().splitlines()]
        return [re.split(r"\s{2,}|\s+\w+=", line)[0] for line in messages if line.startswith(LINES)]


def environment(home: Path) -> dict[str, str]:
    """A host without an engine of its own: the chosen docker context does not exist."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SKEP_", "DOCKER_"))}
    return inherited | {"SKEP_STATE_DIR": str(home / "s"), "DOCKER_CONTEXT": "nowhere", "DOCKER_CONFIG": str(home)}


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def managing(files: TlsFiles, manager: str, dash: str = "--", more: Sequence[str] = ()) -> Iterator[Manager]:
    """Runs in a folder with a short path, for the socket in it. `more` are flags as they are written."""
    with tempfile.TemporaryDirectory(prefix="m", dir="/tmp") as folder:
        home, address = Path(folder), free_address()
        flags = {"addr": address, "swarm-manager": manager}
        flags |= {"tlscacert": files.ca, "tlscert": files.cert, "tlskey": files.key}
        with (home / "log").open("wb") as log:
            words = [*PROGRAM, *(f"{dash}{name}={value}" for name, value in flags.items()), *more]
            process = subprocess.Popen(words, env=environment(home), stdout=log, stderr=log)
        running = Manager(home, files, address, process)
        try:
            eventually(lambda: process.poll() is None and accepts(address), True)
            yield running
            process.terminate()
            assert process.wait(WITHIN_S) == 0, running.said()
        finally:
            process.kill()
            process.wait()


def accepts(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def ended(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """One that ends by itself."""
    return subprocess.run(
        [*PROGRAM, *words], env=environment(home), capture_output=True, text=True, timeout=WITHIN_S, check=False
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certs") / "ca")


@pytest.fixture(scope="module")
def files(authority: Authority) -> TlsFiles:
    """As docker-machine's of a master: for servers and for clients."""
    return authority.issue("machine", "127.0.0.1")


# --- without an engine -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dash", ["-", "--"])
def test_flags_take_one_dash_or_two_and_objects_are_taken_before_an_engine_answers(files: TlsFiles, dash: str) -> None:
    with managing(files, NOWHERE, dash) as manager:
        assert manager.submit(Name="nginx", Image="nginx:1.9.6", Count=5)["change"] == "created"
        assert manager.submit(Name="nginx", Image="nginx:1.9.6", Count=3)["change"] == "configured"
        assert manager.status() == [{"Name": "nginx", "Image": "nginx:1.9.6", "DesiredCount": 3, "CurrentCount": 0}]
        assert '\n    "Name": "nginx",\n' in manager.curl("/status").stdout
        assert manager.lines() == ["Starting Swarm cluster state manager...", *["updating nginx cluster state"] * 2]


def test_nobody_gets_in_without_a_certificate(files: TlsFiles) -> None:
    with managing(files, NOWHERE) as manager:
        refused = manager.curl("/status", identity=())
        assert refused.returncode != 0
        assert "alert" in refused.stderr
        assert manager.said().count("it shows no client certificate") == 1


def test_renewed_files_are_looked_at_when_it_is_told_to(authority: Authority) -> None:
    """Without a connection, which would look as well."""
    old, new = authority.issue("old", "127.0.0.1"), authority.issue("new", "127.0.0.1")
    with managing(old, NOWHERE) as manager:
        for source, target in ((new.cert, old.cert), (new.key, old.key)):
            shutil.copy(source, target)
        manager.process.send_signal(signal.SIGHUP)
        eventually(lambda: manager.said().count("certificates were renewed"), 1)
        assert manager.status() == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_the_documents_bundle_is_taken(files: TlsFiles) -> None:
    with managing(files, NOWHERE) as manager:
        bundle = str(manager.home / "cert.pfx")
        made = ["openssl", "pkcs12", "-export", "-in", files.cert, "-inkey", files.key, "-out", bundle]
        subprocess.run([*made, "-passout", "pass:swarm"], check=True, capture_output=True)
        identity = ("--cert", bundle, "--pass", "swarm", "--cert-type", "P12")
        assert json.loads(manager.curl("/status", identity=identity).stdout) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            (),
            [f"{flag}: is missing: clients are let in by" for flag in ("--tlscacert", "--tlscert", "--tlskey")],
        ),
        (
            ("--tlscacert=a", "--tlscert=b", "--tlskey=c", "-swarm-manager=nowhere", "-addr=here"),
            ['--swarm-manager: "nowhere": want unix:///PATH', "--addr: must be HOST:PORT"],
        ),
        (("--tlscacert=a", "--tlscert=b", "--tlskey=c"), ["can't read the certificate "]),
        (
            ("--tlscacert=a", "--tlscert=b", "--tlskey=c", "--swarm-manager=tcp://a:1,tcp://b:1"),
            ["--swarm-manager: names one endpoint; several stand in SKEP_CLUSTER"],
        ),
        (
            ("--tlscacert=a", "--tlscert=b", "--tlskey=c", "--addr=127.0.0.1:0"),
            ["--addr: must be HOST:PORT with a port"],
        ),
        (("--tlscacert=a", "--tlscert=b", "--tlskey=c", "--addr="), ["--addr: must be HOST:PORT"]),
    ],
)
def test_what_it_can_not_start_with_is_told_in_a_line_each(
    tmp_path: Path, words: tuple[str, ...], told: list[str]
) -> None:
    end = ended(tmp_path, *words)
    assert (end.returncode, end.stdout) == (1, "")
    lines = [line for line in end.stderr.splitlines() if line.startswith("swarm-cluster-state-manager: ")]
    pairs = zip(lines, told, strict=True)
    assert [line.removeprefix("swarm-cluster-state-manager: ").startswith(start) for line, start in pairs] == [
        True
    ] * len(told)


SERVE = (sys.executable, "-c", "from skep.cli.main import main; main()", "serve")


@pytest.mark.parametrize(
    "words",
    [
        (*PROGRAM, "--tlscacert={0}/ca.pem", "--tlscert={0}/cert.pem", "--tlskey={0}/key.pem", "--swarm-manager={1}"),
        (*SERVE, "--cluster=swarm={1}", "--cluster-tls=swarm={0}"),
    ],
)
def test_a_certificate_for_servers_alone_is_told_at_the_start_where_an_engine_would_be_shown_it(
    tmp_path: Path, words: Sequence[str]
) -> None:
    """The likeliest slip, and an engine would say nothing of it."""
    made = server(with_ca(tmp_path / "certs")).path
    command = [word.format(made, "tcp://127.0.0.1:1") for word in words]
    end = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    assert end.returncode == 1
    assert f"cluster swarm: the certificate {made}/cert.pem is for servers alone" in end.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-foo"], "No such option '-foo'."),
        (
            ["-addr=x", "-tlscafert", "y"],
            "No such option '-tlscafert'. (Did you mean one of: '-tlscacert', '-tlscert'?)",
        ),
        (["--swarm-manger=y"], "No such option '--swarm-manger'. Did you mean '--swarm-manager'?"),
        (["-f"], "No such option '-f'."),
    ],
)
def test_a_flag_that_there_is_not_is_told_as_it_was_written(words: list[str], told: str) -> None:
    read = CliRunner().invoke(main, words)
    assert (read.exit_code, read.output.splitlines()[-1]) == (2, f"Error: {told}")


def test_a_second_one_is_told_the_variable_for_another_state_directory(files: TlsFiles) -> None:
    """It has no flag for it."""
    flags = (
        f"--tlscacert={files.ca}",
        f"--tlscert={files.cert}",
        f"--tlskey={files.key}",
        f"--swarm-manager={NOWHERE}",
    )
    with managing(files, NOWHERE) as manager:
        second = ended(manager.home, f"--addr={free_address()}", *flags)
    assert second.returncode == 1
    assert "choose another state directory with SKEP_STATE_DIR" in second.stderr


@pytest.mark.parametrize("word", ["-h", "-help", "--help"])
def test_help_has_the_documents_defaults(tmp_path: Path, word: str) -> None:
    told = " ".join(ended(tmp_path, word).stdout.split())
    assert "[default: 127.0.0.1:2476]" in told
    assert "[default: tcp://127.0.0.1:2376]" in told


@pytest.mark.parametrize(
    ("manager", "spoken"),
    [
        ("tcp://10.0.0.1:3376", ("tcp://10.0.0.1:3376",)),
        ("https://10.0.0.1", ("https://10.0.0.1",)),
        ("http://10.0.0.1:2375", ()),
        ("unix:///run/docker.sock", ()),
    ],
)
def test_tls_is_spoken_to_a_manager_on_tcp_with_the_same_certificate(
    manager: str, spoken: tuple[str, ...], tmp_path: Path
) -> None:
    files = TlsFiles("/ca.pem", "/cert.pem", "/key.pem", verify=False)
    settings = settings_of(Flags(":2476", manager, files), {"SKEP_STATE_DIR": str(tmp_path)})
    assert settings.tls() == dict.fromkeys(spoken, files)
    assert [str(cluster) for cluster in settings.clusters] == [f"swarm={manager}"]
    assert (settings.tls_cert, settings.tls_key, settings.tls_client_ca) == ("/cert.pem", "/key.pem", "/ca.pem")


def test_a_file_is_the_same_one_for_the_manager_and_for_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell leaves the ~ of `--tlscert=~/cert.pem` as it is."""
    monkeypatch.setenv("HOME", "/home/ann")
    files = TlsFiles("~/ca.pem", "~/cert.pem", "/key.pem")
    settings = settings_of(Flags(":2476", "tcp://h:1", files), {"SKEP_STATE_DIR": str(tmp_path)})
    shown = TlsFiles(settings.tls_client_ca, settings.tls_cert, settings.tls_key)
    assert shown == TlsFiles("/home/ann/ca.pem", "/home/ann/cert.pem", "/key.pem")
    assert settings.tls() == {"tcp://h:1": shown}


def test_a_password_in_the_managers_url_is_not_shown() -> None:
    with pytest.raises(InvalidError) as caught:
        settings_of(Flags(":2476", "tcp://ann:hunter2@h:1", TlsFiles("a", "b", "c")), {})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"event": "spec accepted", "key": "workload/a", "change": "created"}, "updating a cluster state"),
        ({"event": "spec accepted", "key": "workload/a", "change": "removed"}, "spec accepted"),
        ({"event": "spec accepted", "key": "group/a", "change": "created"}, "spec accepted"),
        ({"event": "creating members", "key": "workload/a", "count": 5}, "creating 5 a containers"),
        ({"event": "removing members", "key": "workload/a", "count": 2}, "removing 2 a containers"),
        ({"event": "created a container", "key": "workload/a", "container": "5f"}, "created a container: 5f"),
        ({"event": "removed a container", "key": "workload/a", "container": "5f"}, "removed a container: 5f"),
        ({"event": "action", "key": "workload/a", "count": 2}, "action"),
        ({"event": "serving HTTPS"}, "serving HTTPS"),
    ],
)
def test_the_log_speaks_the_documents_words(line: dict[str, object], words: str) -> None:
    assert reference_words(None, "info", dict(line))["event"] == words
