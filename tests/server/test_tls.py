"""HTTPS with client certificates: who gets in and as whom, and who does not, told once each."""

import datetime
import errno
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import structlog

from skep.model.errors import RefusedError
from skep.server.tls import HANDSHAKES_MAX
from skep.server.tls_files import Certificates, ServerFiles, server_context
from skep.server.tls_handshake import handshake_fault
from skep.server.tls_peer import Role, TlsPeer, tls_peer
from skep.server.tls_refusals import HOSTS_MAX, Refusals
from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import DEADLINE_S
from tests.server.tls_certificates import CLIENT, DAY, EXPIRED, SERVER, Pair, Subject, TestAuthority
from tests.server.tls_running import TlsRunning, tls_running

SCALE = ("POST", "/v1/workloads/web/scale", b'{"count": 1}')


@pytest.fixture
def front() -> FrontDouble:
    return FrontDouble([GROUP, WORKLOAD])


@pytest.fixture
def server(front: FrontDouble, tmp_path: Path) -> Iterator[TlsRunning]:
    with tls_running(front, tmp_path) as running:
        yield running


@pytest.fixture
def told() -> Iterator[list[dict[str, object]]]:
    """What is logged while the test runs, by any thread."""
    with structlog.testing.capture_logs() as lines:
        yield lines


def refusals(told: list[dict[str, object]]) -> list[dict[str, object]]:
    return [line for line in told if line["event"] == "refused over TLS"]


def awaited(told: list[dict[str, object]]) -> dict[str, object]:
    """The only refusal, which may be told a moment after the connection is gone."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not refusals(told):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    (line,) = refusals(told)
    return line


# --- who gets in -----------------------------------------------------------------------------------------------------


def test_a_certificate_of_the_ca_gets_in_and_its_name_goes_into_the_history(
    server: TlsRunning, front: FrontDouble, told: list[dict[str, object]]
) -> None:
    ann = server.authority.issue(Subject("ann"))
    assert server.ask(ann, *SCALE).status == 200
    assert front.asked_by == ["ann"]
    assert refusals(told) == []


def test_a_viewer_may_read_and_change_nothing(
    server: TlsRunning, front: FrontDouble, told: list[dict[str, object]]
) -> None:
    viewer = server.authority.issue(Subject("eve", units=["skep:viewer"]))
    assert server.ask(viewer, "GET", "/v1/workloads/web").status == 200
    assert refusals(told) == []
    for method, path, body in (SCALE, ("POST", "/submit", b"{}"), ("DELETE", "/v1/workloads/web", None)):
        answer = server.ask(viewer, method, path, body)
        assert (answer.status, answer.json()["reason"]) == (403, "Forbidden")
        assert "skep:viewer" in answer.json()["error"]
    assert server.ask(server.authority.issue(Subject("zoe", units=["skep:viewer"])), *SCALE).status == 403
    assert front.asked_by == []
    words = "the certificate of {} is a viewer's (skep:viewer): it may only read"
    assert [line["reason"] for line in refusals(told)] == [words.format("eve"), words.format("zoe")]
    assert all(str(line["peer"]).startswith("127.0.0.1:") for line in refusals(told))


@pytest.mark.parametrize(
    ("units", "role"),
    [
        ([], Role.ADMIN),
        (["Ops"], Role.ADMIN),
        (["skep:admin"], Role.ADMIN),
        (["Ops", "skep:viewer"], Role.VIEWER),
        (["skep:admin", "skep:viewer"], Role.VIEWER),
        (["SKEP:Viewer"], Role.VIEWER),
        (["skep:none"], Role.NONE),
        (["skep:"], Role.NONE),
        (["skep:root"], Role.NONE),
        (["skep:admin", "skep:none"], Role.NONE),
    ],
)
def test_the_role_is_the_least_of_those_in_the_subject(units: list[str], role: Role) -> None:
    subject = tuple((("organizationalUnitName", unit),) for unit in units)
    assert tls_peer({"subject": (*subject, (("commonName", "ann"),))}) == TlsPeer("ann", role)


@pytest.mark.parametrize(
    ("certificate", "name"),
    [
        ({"subject": ((("commonName", "ann"),), (("organizationName", "x"),))}, "ann"),
        ({"subject": ((("organizationName", "ann.host"),),)}, "ann.host"),
        ({"subject": (), "subjectAltName": (("DNS", "box"),)}, "box"),
        ({"subject": ((("commonName", " \n"),),), "serialNumber": "0A"}, "certificate 0A"),
        ({"subject": ((("commonName", "a\nb" + "c" * 90),),)}, "ab" + "c" * 62),
    ],
)
def test_a_certificate_has_a_name_that_can_be_shown(certificate: dict[str, object], name: str) -> None:
    """docker-machine's client certificates have an organization and no common name."""
    assert tls_peer(certificate).name == name


# --- who does not ----------------------------------------------------------------------------------------------------


def _strangers_pair(server: TlsRunning) -> Pair:
    return TestAuthority(server.authority.folder / "other").issue(Subject("ann"))


def _lookalikes_pair(server: TlsRunning) -> Pair:
    """Of a CA that only has the name of ours."""
    return TestAuthority(server.authority.folder / "same", server.authority.name).issue(Subject("ann"))


REFUSED: list[tuple[str, Callable[[TlsRunning], Pair | None], str]] = [
    ("no certificate", lambda _: None, "it shows no client certificate"),
    ("wrong CA", _strangers_pair, "its certificate is not signed by our CA of clients"),
    ("a CA of our CA's name", _lookalikes_pair, "its certificate is not signed by our CA of clients"),
    ("expired", lambda s: s.authority.issue(Subject(lasts=EXPIRED)), "its certificate has expired"),
    ("server only", lambda s: s.authority.issue(Subject(usages=(SERVER,))), "its certificate is not for clients"),
]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize(("make", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_whoever_has_no_good_certificate_is_told_so_and_logged_once(
    server: TlsRunning,
    front: FrontDouble,
    told: list[dict[str, object]],
    make: Callable[[TlsRunning], Pair | None],
    reason: str,
    version: ssl.TLSVersion,
) -> None:
    context = server.context(make(server))
    context.minimum_version = context.maximum_version = version
    ports = []
    for _ in range(3):
        raw = server.connect()
        ports.append(raw.getsockname()[1])
        with (
            pytest.raises(ssl.SSLError, match=r"(?i)alert"),
            context.wrap_socket(raw, server_hostname="127.0.0.1") as tls,
        ):
            tls.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
            assert tls.recv(100) == b""
    (line,) = refusals(told)
    assert (line["reason"], line["peer"]) == (reason, f"127.0.0.1:{ports[0]}")
    assert server.ask(server.authority.issue(Subject()), "GET", "/status").status == 200
    assert front.asked_by == []


def test_a_session_of_a_certificate_that_has_expired_since_is_not_taken_up_again(
    server: TlsRunning, told: list[dict[str, object]]
) -> None:
    """TLS 1.2 lets a client come back without showing its certificate again."""
    soon = server.authority.issue(Subject(lasts=(-DAY, datetime.timedelta(seconds=5))))
    context = server.context(soon)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    deadline_s, session, resumed = time.monotonic() + DEADLINE_S, None, False
    while not refusals(told):
        assert time.monotonic() < deadline_s
        raw = server.connect()
        with suppress(OSError), context.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as tls:
            resumed = resumed or bool(tls.session_reused)
            session = tls.session
            tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            tls.recv(15)
        time.sleep(0.02)
    assert resumed
    assert awaited(told)["reason"] == "its certificate has expired"


@pytest.mark.parametrize("role", ["skep:none", "skep:owner"])
def test_a_role_that_is_none_gets_nothing(
    server: TlsRunning, front: FrontDouble, told: list[dict[str, object]], role: str
) -> None:
    revoked = server.authority.issue(Subject("mal", units=[role]))
    for method, path, body in (("GET", "/status", None), ("GET", "/healthz", None), SCALE):
        answer = server.ask(revoked, method, path, body)
        assert (answer.status, answer.json()["reason"]) == (403, "Forbidden")
    (line,) = refusals(told)
    assert line["reason"] == "the certificate of mal has no role here"
    assert str(line["peer"]).startswith("127.0.0.1:")
    assert front.asked_by == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_tls_older_than_1_2_is_refused(server: TlsRunning, told: list[dict[str, object]]) -> None:
    """Python's own client can't be brought to speak it without a warning; OpenSSL's can."""
    ann = server.authority.issue(Subject())
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_1", "-cert", ann.cert]
    command += ["-key", ann.key, "-cipher", "DEFAULT@SECLEVEL=0"]
    run = subprocess.run(command, input="", capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert "alert protocol version" in run.stderr
    (line,) = refusals(told)
    assert line["reason"] == "it offers no TLS as new as 1.2"
    assert server.ask(ann, "GET", "/status").status == 200


def test_plain_http_is_told_what_it_should_speak(server: TlsRunning, told: list[dict[str, object]]) -> None:
    with server.connect() as connection:
        peer = f"127.0.0.1:{connection.getsockname()[1]}"
        connection.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"this port speaks HTTPS: write https://\n")
    (line,) = refusals(told)
    assert (line["reason"], line["peer"]) == ("it speaks plain HTTP", peer)
    assert server.ask(server.authority.issue(Subject()), "GET", "/status").status == 200


@pytest.mark.parametrize("noise", [b"", b"\x00" * 300, b"SSH-2.0-x\r\n", b"\x16\x03\x01\x40\x00" + b"\xff" * 500])
def test_noise_and_silence_end_nothing(server: TlsRunning, told: list[dict[str, object]], noise: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(noise)
    ann = server.authority.issue(Subject())
    assert server.ask(ann, "GET", "/status").status == 200
    assert awaited(told)


def test_whoever_never_ends_the_handshake_is_let_go(
    front: FrontDouble, tmp_path: Path, told: list[dict[str, object]]
) -> None:
    with tls_running(front, tmp_path, handshake_s=0.2) as server, server.connect() as connection:
        assert connection.recv(100) == b""
        line = awaited(told)
        assert line["reason"] == "it hung up, or did not end the handshake in time"


def test_many_who_say_nothing_keep_nobody_out(server: TlsRunning) -> None:
    """They would hold all places for as long as a handshake may take, and as long as the client here waits."""
    with ExitStack() as silent:
        for _ in range(2 * HANDSHAKES_MAX):
            silent.enter_context(server.connect())
        assert server.ask(server.authority.issue(Subject()), "GET", "/status").status == 200


def test_the_server_stops_while_somebody_is_in_a_handshake(front: FrontDouble, tmp_path: Path) -> None:
    with tls_running(front, tmp_path) as server:
        connection = server.connect()
        connection.sendall(b"\x16\x03\x01")
    with connection, suppress(ConnectionError):
        assert connection.recv(100) == b""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionResetError(), "it hung up, or did not end the handshake in time"),
        (OSError(errno.EMFILE, "x"), "too many files are open here"),
        (UnicodeDecodeError("utf-8", b"", 0, 1, "x"), "its certificate can't be read (UnicodeDecodeError)"),
        (ssl.SSLError(1, "x"), "TLS failed (unknown)"),
    ],
)
def test_rare_faults_have_words_too(error: Exception, words: str) -> None:
    assert handshake_fault(error) == words


def test_a_client_that_does_not_trust_us_is_told_of(server: TlsRunning, told: list[dict[str, object]]) -> None:
    with server.connect() as raw, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(raw, server_hostname="127.0.0.1")
    line = awaited(told)
    assert str(line["reason"]).startswith("it does not take our certificate")


def test_the_same_refusal_is_told_again_after_a_minute_with_how_many_came_meanwhile(
    told: list[dict[str, object]],
) -> None:
    now = [0.0]
    log = Refusals(lambda: now[0])
    for at_s in (0.0, 1.0, 59.0, 60.0, 61.0):
        now[0] = at_s
        log.tell("10.0.0.1", "10.0.0.1:5", "x")
    assert [line.get("meanwhile") for line in refusals(told)] == [None, 2]
    log.tell("10.0.0.1", "10.0.0.1:5", "y")
    log.tell("10.0.0.2", "10.0.0.2:5", "x")
    assert len(refusals(told)) == 4


def test_many_addresses_do_not_make_the_log_grow_in_memory(told: list[dict[str, object]]) -> None:
    log = Refusals(lambda: 0.0)
    for number in range(HOSTS_MAX + 1):
        log.tell(str(number), f"{number}:1", "x")
    log.tell("1", "1:1", "x")
    assert len(refusals(told)) == HOSTS_MAX + 1
    log.tell("0", "0:1", "x")
    assert len(refusals(told)) == HOSTS_MAX + 2


# --- the files -------------------------------------------------------------------------------------------------------


def test_renewed_certificates_count_without_a_restart(server: TlsRunning, told: list[dict[str, object]]) -> None:
    """Also the CA of clients: what the old one signed gets in no more."""
    before = server.authority.issue(Subject("ann"))
    assert server.ask(before, "GET", "/status").status == 200
    new = TestAuthority(server.authority.folder / "new")
    new.issue(Subject("server", usages=(SERVER, CLIENT)), to=server.own)
    Path(new.ca).replace(server.authority.ca)
    after = new.issue(Subject("ann"))
    assert server.ask(after, "GET", "/status").status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        server.ask(before, "GET", "/status")
    assert [line["event"] for line in told if "certificates" in str(line["event"])] == ["certificates were renewed"]


def test_half_a_renewal_is_told_and_the_old_certificates_stay(
    server: TlsRunning, told: list[dict[str, object]]
) -> None:
    ann = server.authority.issue(Subject())
    other = server.authority.issue(Subject("server", usages=(SERVER, CLIENT)))
    kept = Path(server.own.cert).read_bytes()
    Path(server.own.cert).write_bytes(Path(other.cert).read_bytes())
    assert [server.ask(ann, "GET", "/status").status for _ in range(2)] == [200, 200]
    (line,) = [line for line in told if "of no use" in str(line["event"])]
    assert server.own.key in str(line["reason"])
    Path(server.own.cert).write_bytes(kept)
    assert server.ask(ann, "GET", "/status").status == 200
    assert told[-1]["event"] == "certificates were renewed"


def _files(folder: Path) -> ServerFiles:
    authority = TestAuthority(folder)
    own = authority.issue(Subject("server", usages=(SERVER,)))
    return ServerFiles(own.cert, own.key, authority.ca)


def test_the_least_version_is_1_2_and_there_are_no_tickets(tmp_path: Path) -> None:
    context = server_context(_files(tmp_path))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.num_tickets == 0
    assert context.options & ssl.OP_NO_TICKET


def test_files_of_no_use_are_named(tmp_path: Path) -> None:
    files = _files(tmp_path)
    with pytest.raises(RefusedError, match=f"can't read the key {tmp_path}/none: No such file"):
        Certificates(ServerFiles(files.cert, str(tmp_path / "none"), files.client_ca))
    with pytest.raises(RefusedError, match="is not the key of the certificate"):
        Certificates(ServerFiles(files.client_ca, files.key, files.client_ca))
    with pytest.raises(RefusedError, match="holds no certificate in PEM"):
        Certificates(ServerFiles(files.cert, files.key, files.key))


UNREADABLE = """
import os, sys
os.setuid(4711)
from skep.model.errors import RefusedError
from skep.server.tls_files import Certificates, ServerFiles
try:
    Certificates(ServerFiles(*sys.argv[1:]))
except RefusedError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_an_unreadable_key_is_named_with_its_uid_and_mode(tmp_path: Path) -> None:
    """The process of another user reads what root may: it begins as root, for this checkout may be root's alone."""
    files = _files(tmp_path)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    Path(files.key).chmod(0o600)
    code = "from skep.server import tls_files\n" + UNREADABLE
    run = subprocess.run(
        [sys.executable, "-c", code, files.cert, files.key, files.client_ca], capture_output=True, text=True, check=True
    )
    assert run.stdout == (
        f"can't read the key {files.key}: Permission denied (mode 0600, uid 0; this process is uid 4711)\n"
    )
