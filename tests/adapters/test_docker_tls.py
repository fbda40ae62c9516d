"""TLS with engines: who is believed, and what is said when somebody is not."""

import asyncio
import os
import shutil
import ssl
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from skep.adapters.docker import DockerEngine
from skep.adapters.docker_errors import UnreachableError
from skep.adapters.docker_routes import Access
from skep.adapters.docker_tls import tls_context, tls_fault
from skep.model.cluster import TlsFiles
from skep.model.errors import UnavailableError
from tests.adapters.somebody_else import as_somebody_else
from tests.adapters.wire_server import say, serving_tcp
from tests.engines.certificates import Authority


async def answer(head: str, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"[]")


async def hang_up(head: str, writer: asyncio.StreamWriter) -> None:
    """After the answer: the next call needs a connection of its own."""
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"
    )
    writer.close()


async def said(endpoint: str, files: TlsFiles | None) -> str:
    """What a call on an engine fails with, empty where it does not."""
    engine = DockerEngine(endpoint, access=Access({endpoint: files} if files else {}))
    try:
        assert list(await engine.containers({})) == []
    except UnavailableError as error:
        return str(error).removeprefix(f"could not list containers on {endpoint}: ")
    finally:
        await engine.close()
    return ""


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "theirs")


@pytest.mark.parametrize("scheme", ["tcp", "https"])
async def test_both_sides_show_certificates_that_the_other_believes(ours: Authority, scheme: str) -> None:
    async with serving_tcp(answer, ours.server("127.0.0.1")) as port:
        assert await said(f"{scheme}://127.0.0.1:{port}", ours.issue("client", "ann")) == ""


Case = Callable[[Authority, Authority], tuple[ssl.SSLContext, TlsFiles]]
CASES: dict[str, Case] = {
    "is not signed by": lambda ours, theirs: (theirs.server("127.0.0.1"), ours.issue("client", "ann")),
    "is for another name": lambda ours, theirs: (ours.server("other.example.com"), ours.issue("client", "ann")),
    "hung up after the handshake: it may want a client certificate": lambda ours, theirs: (
        ours.server("127.0.0.1"),
        TlsFiles(str(ours.ca)),
    ),
    "hung up after the handshake: it may not take the client certificate": lambda ours, theirs: (
        ours.server("127.0.0.1"),
        replace(theirs.issue("client", "eve"), ca=str(ours.ca)),
    ),
}


@pytest.mark.parametrize("told", CASES)
async def test_whoever_is_not_believed_is_named(ours: Authority, theirs: Authority, told: str) -> None:
    server, files = CASES[told](ours, theirs)
    async with serving_tcp(answer, server) as port:
        assert told in await said(f"tcp://127.0.0.1:{port}", files)


async def test_a_certificate_of_nobody_whom_this_host_trusts(ours: Authority) -> None:
    async with serving_tcp(answer, ours.server("127.0.0.1")) as port:
        told = await said(f"https://127.0.0.1:{port}", None)
    assert told.startswith("its certificate is not signed by a CA that this host trusts")


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_file_of_two_cas_believes_both(ours: Authority, theirs: Authority, reverse: bool) -> None:
    """For the time in which one takes the place of the other."""
    both = both_of(ours, theirs, reverse)
    files = replace(ours.issue("client", "ann"), ca=str(both))
    for authority in (ours, theirs):
        server = authority.server("127.0.0.1")
        server.load_verify_locations(ours.ca)
        async with serving_tcp(answer, server) as port:
            assert await said(f"tcp://127.0.0.1:{port}", files) == ""


def both_of(ours: Authority, theirs: Authority, reverse: bool) -> Path:
    """A file beside the first one's."""
    found = [ours.ca.read_text(), theirs.ca.read_text()]
    made = ours.ca.with_name("both.pem")
    made.write_text("".join(reversed(found) if reverse else found))
    return made


async def test_only_who_says_so_looks_at_no_certificate(ours: Authority, theirs: Authority) -> None:
    async with serving_tcp(answer, ours.server("other.example.com")) as port:
        files = replace(ours.issue("client", "ann"), ca="", verify=False)
        assert await said(f"tcp://127.0.0.1:{port}", files) == ""


async def test_tls_spoken_to_a_plain_port(ours: Authority) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        told = await said(f"tcp://127.0.0.1:{port}", ours.issue("client", "ann"))
    assert told == "it speaks plain HTTP there: name its TLS port (2376), or take the TLS files away"


async def test_plain_http_spoken_to_a_tls_port() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As Go's server does."""
        await reader.read(1)
        writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        told = await said(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", None)
    assert told.startswith("it speaks TLS there: write https:// or give its TLS files")


@pytest.mark.parametrize(
    ("reason", "cert", "told"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "", "wants a client certificate"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "c.pem", "wants a client certificate"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "", "wants a client certificate"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "c.pem", "refused the client certificate c.pem"),
        ("TLSV1_ALERT_UNKNOWN_CA", "c.pem", "refused the client certificate c.pem"),
        ("WRONG_VERSION_NUMBER", "c.pem", "speaks plain HTTP"),
        ("UNSUPPORTED_PROTOCOL", "c.pem", "TLS failed: UNSUPPORTED_PROTOCOL"),
    ],
)
def test_what_an_alert_means(reason: str, cert: str, told: str) -> None:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    assert told in tls_fault(error, TlsFiles(cert=cert))


async def test_a_certificate_that_was_renewed_is_used_without_a_restart(ours: Authority, theirs: Authority) -> None:
    old, new = theirs.issue("client", "ann"), ours.issue("client", "ann")
    files = replace(old, ca=str(ours.ca))
    async with serving_tcp(answer, ours.server("127.0.0.1")) as port:
        endpoint = f"tcp://127.0.0.1:{port}"
        engine = DockerEngine(endpoint, access=Access({endpoint: files}))
        with pytest.raises(UnavailableError, match="may not take the client certificate"):
            await engine.containers({})
        shutil.copy(new.cert, old.cert)
        with pytest.raises(UnavailableError, match="may not take the client certificate"):
            await engine.containers({})  # half of them are of no use, and the old ones stay
        shutil.copy(new.key, old.key)
        assert list(await engine.containers({})) == []
        await engine.close()


async def test_a_ca_that_was_replaced_is_trusted_no_more_without_a_restart(ours: Authority, theirs: Authority) -> None:
    files, server = ours.issue("client", "ann"), ours.server("127.0.0.1")
    async with serving_tcp(hang_up, server) as port:
        endpoint = f"tcp://127.0.0.1:{port}"
        engine = DockerEngine(endpoint, access=Access({endpoint: files}))
        assert list(await engine.containers({})) == []
        shutil.copy(theirs.ca, files.ca)
        with pytest.raises(UnavailableError, match="its certificate is not signed by"):
            await engine.containers({})
        await engine.close()


async def test_files_that_are_mended_are_read_at_the_next_call(ours: Authority) -> None:
    files = ours.issue("client", "ann")
    shutil.move(files.key, f"{files.key}.away")
    async with serving_tcp(answer, ours.server("127.0.0.1")) as port:
        endpoint = f"tcp://127.0.0.1:{port}"
        engine = DockerEngine(endpoint, access=Access({endpoint: files}))
        with pytest.raises(UnavailableError, match=rf"can't read the key {files.key}: No such file or directory$"):
            await engine.containers({})
        shutil.move(f"{files.key}.away", files.key)
        assert list(await engine.containers({})) == []
        await engine.close()


def test_tls_is_1_2_or_newer_and_names_are_looked_at(ours: Authority) -> None:
    for files in (ours.issue("client", "ann"), TlsFiles()):
        context = tls_context(files)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_each_file_that_can_t_be_used_is_named(ours: Authority, tmp_path: Path) -> None:
    good, other = ours.issue("good", "ann"), ours.issue("other", "ann")
    junk, locked = tmp_path / "junk.pem", tmp_path / "locked.pem"
    junk.write_text("junk")
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    rows = [
        (replace(good, ca="/none/ca.pem"), "can't read the CA /none/ca.pem: No such file or directory"),
        (replace(good, ca=str(tmp_path)), f"can't read the CA {tmp_path}: Is a directory"),
        (replace(good, ca=str(junk)), f"the CA {junk} holds no certificate in PEM"),
        (replace(good, cert="/none/cert.pem"), "can't read the certificate /none/cert.pem"),
        (replace(good, key=other.key), f"{other.key} is not the key of the certificate {good.cert}"),
        (replace(good, key=str(junk)), f"{junk} is not the key of"),
        (replace(good, key=str(locked)), f"the key {locked} has a passphrase"),
        (replace(good, key=""), "needs both of its files"),
    ]
    for files, told in rows:
        with pytest.raises(UnreachableError) as caught:
            tls_context(files)
        assert told in str(caught.value)


@pytest.fixture
def visible() -> Iterator[Path]:
    """A folder that every user may look into."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_key_that_we_may_not_read_is_told_with_its_owner_and_who_we_are(visible: Path) -> None:
    files = Authority(visible / "ca").issue("client", "ann")
    Path(files.key).chmod(0o400 if os.geteuid() == 0 else 0o000)
    found = Path(files.key).stat()
    with pytest.raises(UnreachableError) as caught, as_somebody_else() as us:
        tls_context(files)
    assert str(caught.value) == (
        f"can't read the key {files.key}: Permission denied "
        f"(mode {found.st_mode & 0o777:04o}, uid {found.st_uid}; this process is uid {us})"
    )


def test_a_key_in_a_folder_that_we_may_not_enter(visible: Path) -> None:
    files = Authority(visible / "ca").issue("client", "ann")
    Path(files.key).parent.chmod(0o700 if os.geteuid() == 0 else 0o000)
    with pytest.raises(UnreachableError) as caught, as_somebody_else() as us:
        tls_context(replace(files, ca=""))
    Path(files.key).parent.chmod(0o700)
    assert str(caught.value) == (
        f"can't read the certificate {files.cert}: Permission denied (a folder above it; this process is uid {us})"
    )
