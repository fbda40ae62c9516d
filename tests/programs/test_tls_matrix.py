"""Who is not let in by `swarm-cluster-state-manager`, with real curl and openssl: each is refused, each is told once
with its peer, and the server goes on. What Python's own client can do is in tests/server/test_tls.py."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from skep.model.cluster import TlsFiles
from tests.programs.test_cluster_state_manager import NOWHERE, WITHIN_S, Manager, managing
from tests.server.tls_certificates import CLIENT, DAY, EXPIRED, SERVER, Pair, Subject, TestAuthority

TRIES = 3
HANDSHAKE, FORBIDDEN, PLAIN = "handshake", "403", "400"
CURL = ("curl", "-sS", "-k", "-o", "/dev/null", "-w", "%{http_code}")


@dataclass(frozen=True)
class Lab:
    """A server that runs, the CA of its clients and another one."""

    manager: Manager
    ours: TestAuthority
    theirs: TestAuthority

    def told(self, reason: str) -> list[str]:
        """The peers of the refusals with this reason."""
        lines = [line for line in self.manager.said().splitlines() if "refused over TLS" in line and reason in line]
        return [found[1] for line in lines if (found := re.search(r"peer=(\S+)", line))]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("matrix")
    ours, theirs = TestAuthority(folder / "ours"), TestAuthority(folder / "theirs")
    own = ours.issue(Subject("machine", usages=(SERVER, CLIENT)))
    with managing(TlsFiles(ours.ca, own.cert, own.key), NOWHERE) as manager:
        yield Lab(manager, ours, theirs)


def by_curl(lab: Lab, pair: Pair | None, scheme: str = "https") -> str:
    """What became of it: a failed handshake, or the status."""
    shown = ("--cert", pair.cert, "--key", pair.key) if pair else ()
    done = run(*CURL, *shown, f"{scheme}://{lab.manager.address}/status")
    if done.returncode:
        assert "alert" in done.stderr, done.stderr
        return HANDSHAKE
    return done.stdout


def by_old_tls(lab: Lab, pair: Pair) -> str:
    """As clients from before 2018 may be."""
    words = ("openssl", "s_client", "-connect", lab.manager.address, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    done = run(*words, "-cert", pair.cert, "-key", pair.key)
    assert "alert protocol version" in done.stderr
    return HANDSHAKE


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, input="", capture_output=True, text=True, timeout=WITHIN_S, check=False)


def attempt(lab: Lab, who: str) -> str:
    """One try of somebody who must not come in."""
    subjects = {
        "expired": Subject(lasts=EXPIRED),
        "not yet valid": Subject(lasts=(DAY, 2 * DAY)),
        "server only": Subject(usages=(SERVER,)),
        "revoked by its role": Subject("mal", units=["skep:none"]),
    }
    if who in subjects:
        return by_curl(lab, lab.ours.issue(subjects[who]))
    if who == "another CA's":
        return by_curl(lab, lab.theirs.issue(Subject()))
    if who == "TLS 1.1":
        return by_old_tls(lab, lab.ours.issue(Subject()))
    return by_curl(lab, None, "http" if who == "plain HTTP" else "https")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
@pytest.mark.parametrize(
    ("who", "becomes", "reason"),
    [
        ("without a certificate", HANDSHAKE, "it shows no client certificate"),
        ("another CA's", HANDSHAKE, "its certificate is not signed by our CA of clients"),
        ("expired", HANDSHAKE, "its certificate has expired"),
        ("not yet valid", HANDSHAKE, "its certificate is not valid yet"),
        ("server only", HANDSHAKE, "its certificate is not for clients"),
        ("revoked by its role", FORBIDDEN, "the certificate of mal has no role here"),
        ("TLS 1.1", HANDSHAKE, "it offers no TLS as new as 1.2"),
        ("plain HTTP", PLAIN, "it speaks plain HTTP"),
    ],
)
def test_each_is_refused_and_told_once_and_the_server_goes_on(lab: Lab, who: str, becomes: str, reason: str) -> None:
    before = lab.told(reason)
    assert [attempt(lab, who) for _ in range(TRIES)] == [becomes] * TRIES
    (peer,) = lab.told(reason)
    assert before == []
    assert re.fullmatch(r"127\.0\.0\.1:\d+", peer)
    assert by_curl(lab, lab.ours.issue(Subject("ann"))) == "200"
    assert lab.manager.process.poll() is None
