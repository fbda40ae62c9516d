"""Certificates: what openssl, TLS and those who read them say to what was made."""

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from skep.adapters.certificate_folder import CertificateFolder
from skep.adapters.certificates import DAY_S, SKEW_S, Use, Wanted, role_of, wanted
from skep.model.errors import InvalidError, RefusedError
from tests.adapters.certified import (
    BOTH,
    CLIENT,
    KEYS,
    NOW_S,
    SERVER,
    by_openssl,
    cert_of,
    client,
    handshake,
    openssl,
    server,
    verdict,
    with_ca,
)


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    return with_ca(tmp_path / "certs")


# --- what others say to them ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uses", "accepted"), [(SERVER, ["sslserver"]), (CLIENT, ["sslclient"]), (BOTH, ["sslserver", "sslclient"])]
)
def test_openssl_takes_them_for_their_purpose_alone(
    folder: CertificateFolder, uses: tuple[Use, ...], accepted: list[str]
) -> None:
    made = folder.make("node", wanted("node", uses), NOW_S, 365)
    for purpose in ("sslserver", "sslclient"):
        assert verdict(made, purpose).endswith("OK") is (purpose in accepted), purpose


def test_openssl_takes_a_server_for_its_names_and_addresses_alone(folder: CertificateFolder) -> None:
    made = server(folder, "node", "10.0.0.1", "fe80::1", "*.example.com")
    for right in (["-verify_ip", "10.0.0.1"], ["-verify_ip", "fe80::1"], ["-verify_hostname", "a.example.com"]):
        assert verdict(made, "sslserver", *right).endswith("OK"), right
    for wrong in (["-verify_ip", "10.0.0.2"], ["-verify_hostname", "example.com"]):
        assert not verdict(made, "sslserver", *wrong).endswith("OK"), wrong


def test_what_a_ca_signed_can_be_no_ca(folder: CertificateFolder) -> None:
    text = openssl("x509", "-in", folder.path / "ca.pem", "-noout", "-text")
    for words in ("CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "prime256v1"):
        assert words in text
    text = openssl("x509", "-in", Path(client(folder).path) / "cert.pem", "-noout", "-text")
    assert re.search(r"Basic Constraints: critical\s+CA:FALSE", text)
    assert re.search(r"Key Usage: critical\s+Digital Signature\n", text)
    assert "prime256v1" in text


def test_both_sides_of_a_handshake_believe_each_other(folder: CertificateFolder) -> None:
    node, ann = server(folder, "node", "localhost", "127.0.0.1"), client(folder)
    for name in ("node", "localhost", "127.0.0.1"):
        assert handshake(node, ann, name) == ("node", "ann")


def test_a_handshake_that_should_fail_fails(folder: CertificateFolder, tmp_path: Path) -> None:
    node, ann = server(folder), client(folder)
    assert "not valid for 'other'" in handshake(node, ann, "other")[0]
    assert handshake(node, replace(node), "node")[1] == "unsuitable certificate purpose"
    assert handshake(ann, node, "ann")[0] == "unsuitable certificate purpose"
    theirs = CertificateFolder(tmp_path / "theirs")
    theirs.make_ca(NOW_S, 3650)
    eve = client(theirs, "eve")
    (Path(eve.path) / "ca.pem").write_bytes((folder.path / "ca.pem").read_bytes())
    assert "issuer" in handshake(node, eve, "node")[1]


def test_a_handshake_with_one_that_has_expired_fails(tmp_path: Path) -> None:
    folder = CertificateFolder(tmp_path)
    folder.make_ca(NOW_S - 30 * DAY_S, 3650)
    old = folder.make("old", wanted("old", CLIENT), NOW_S - 30 * DAY_S, 29)
    assert handshake(server(folder), old, "node")[1] == "certificate has expired"
    assert verdict(old, "sslclient").startswith("error")


# --- what they say ----------------------------------------------------------------------------------------------------


def test_they_begin_a_little_early_and_last_as_long_as_told(folder: CertificateFolder) -> None:
    for listed, days in ((folder.listed(NOW_S)[0], 3650), (client(folder), 365)):
        assert (listed.begins_s, listed.ends_s) == (NOW_S - SKEW_S, NOW_S + days * DAY_S)
        found = cert_of(listed)
        assert (found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()) == (
            listed.begins_s,
            listed.ends_s,
        )


def test_no_two_have_the_same_serial_number(folder: CertificateFolder) -> None:
    serials = {client(folder, f"c{number}").serial for number in range(20)}
    assert len(serials) == 20
    assert min(int(serial, 16) for serial in serials) > 2**64


def test_a_role_is_read_as_the_server_reads_it_whatever_its_case() -> None:
    unit = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "SKEP:Viewer")
    assert role_of(Wanted(x509.Name([unit]), CLIENT)) == "viewer"


@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_a_role_is_an_organizational_unit(folder: CertificateFolder, role: str) -> None:
    made = client(folder, "ann", role)
    assert made.role == role
    subject = openssl("x509", "-in", Path(made.path) / "cert.pem", "-noout", "-subject", "-nameopt", "RFC2253")
    assert subject.strip() == f"subject=CN=ann,OU=skep:{role}"


@pytest.mark.parametrize(
    ("name", "addresses", "places"),
    [
        ("node-1", (), ("node-1",)),
        ("node-1", ("node-1", "10.0.0.1", "10.0.0.1"), ("node-1", "10.0.0.1")),
        ("10.0.0.1", (), ("10.0.0.1",)),
        ("ann@example.com", ("::1",), ("::1",)),
        ("a", ("*.example.com", "A_b.example"), ("a", "*.example.com", "A_b.example")),
    ],
)
def test_where_a_server_is_found(
    folder: CertificateFolder, name: str, addresses: tuple[str, ...], places: tuple[str, ...]
) -> None:
    assert server(folder, name, *addresses).places == places


BAD = ["", "10.0.0.256", "10.0.0.1:2376", "https://a", "fe80::1%eth0", "a b", "-a", "a..b", "*", "a.*.b", "é.example"]


@pytest.mark.parametrize("address", [*BAD, "a" * 64, ".".join(["a" * 60] * 5)])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidError, match="is neither a host's name nor an IP address"):
        wanted("node", SERVER, addresses=(address,))


def test_all_addresses_that_are_wrong_are_told_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        wanted("node", SERVER, addresses=("a b", "ok", "1.2.3.4.5"))
    assert [str(fault).split(" is ")[0] for fault in caught.value.faults] == ["'a b'", "'1.2.3.4.5'"]


def test_a_server_that_is_found_nowhere_is_refused() -> None:
    with pytest.raises(InvalidError, match="give the server's name or address with --address"):
        wanted("ann@example.com", SERVER)


# --- CAs of others ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KEYS)
def test_a_ca_of_openssl_can_be_used(tmp_path: Path, kind: str) -> None:
    folder = by_openssl(tmp_path / "ca", *KEYS[kind], "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    node, ann = server(folder), client(folder)
    assert handshake(node, ann, "node") == ("node", "ann")
    assert [one.state for one in folder.listed(time.time())] == ["valid"] * 3
    with pytest.raises(RefusedError):
        folder.make_ca(NOW_S, 3650)


def test_a_ca_that_calls_its_key_otherwise_is_named_as_it_calls_itself(tmp_path: Path) -> None:
    more = [
        "-addext",
        "subjectKeyIdentifier=01020304",
        "-addext",
        "authorityKeyIdentifier=none",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    ]
    folder = by_openssl(tmp_path / "ca", *KEYS["P-384"], *more)
    ann = client(folder)
    assert "01:02:03:04" in openssl("x509", "-in", f"{ann.path}/cert.pem", "-noout", "-ext", "authorityKeyIdentifier")
    told = openssl("verify", "-purpose", "sslclient", "-CAfile", f"{ann.path}/ca.pem", f"{ann.path}/cert.pem")
    assert told.endswith("OK\n")


def test_a_ca_of_docker_machine_can_be_used(tmp_path: Path) -> None:
    """RSA, its key in PKCS #1, and no identifier of its key."""
    config = tmp_path / "config"
    config.write_text(
        "[req]\ndistinguished_name=d\nx509_extensions=x\n[d]\n[x]\nbasicConstraints=critical,CA:TRUE\n"
        "keyUsage=critical,digitalSignature,keyEncipherment,keyAgreement,keyCertSign\nsubjectKeyIdentifier=none\n"
    )
    folder = by_openssl(tmp_path / "ca", "-newkey", "rsa:2048", "-config", str(config))
    key = folder.path / "ca-key.pem"
    openssl("rsa", "-traditional", "-in", key, "-out", key)
    assert key.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert "Subject Key Identifier" not in openssl("x509", "-in", folder.path / "ca.pem", "-noout", "-text")
    ann = client(folder)
    assert openssl("verify", "-purpose", "sslclient", "-CAfile", f"{ann.path}/ca.pem", f"{ann.path}/cert.pem").endswith(
        "OK\n"
    )


def test_a_certificate_of_docker_machine_is_one_of_an_admin_for_both_and_is_renewed_as_such(
    folder: CertificateFolder, tmp_path: Path
) -> None:
    """It has no role, and an organization instead of a common name."""
    place = folder.path / "old"
    place.mkdir()
    request, extensions = tmp_path / "request", tmp_path / "extensions"
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=ann", "-keyout", place / "key.pem", "-out", request)
    extensions.write_text("extendedKeyUsage=clientAuth,serverAuth\n")
    openssl(
        "x509", "-req", "-in", request, "-days", "10", "-CA", folder.path / "ca.pem", "-CAkey",
        folder.path / "ca-key.pem", "-CAcreateserial", "-extfile", extensions, "-out", place / "cert.pem",
    )  # fmt: skip
    found = folder.listed(time.time())[1]
    assert (found.use, found.role, found.state) == ("server,client", "admin", "valid")
    (renewed,) = folder.renew(["old"], NOW_S)
    assert (renewed.use, renewed.role) == (found.use, found.role)
    assert cert_of(renewed).subject.rfc4514_string() == "O=ann"


def test_a_file_of_several_cas_is_trusted_whole_and_that_of_the_key_signs(
    folder: CertificateFolder, tmp_path: Path
) -> None:
    other = by_openssl(tmp_path / "other", *KEYS["RSA"])
    both = (other.path / "ca.pem").read_bytes() + (folder.path / "ca.pem").read_bytes()
    (folder.path / "ca.pem").write_bytes(both)
    ann = client(folder)
    assert (Path(ann.path) / "ca.pem").read_bytes() == both
    assert handshake(server(folder), ann, "node") == ("node", "ann")
