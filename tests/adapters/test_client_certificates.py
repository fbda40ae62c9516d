"""What is said of certificates that engines would not take."""

from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from skep.adapters.client_certificates import check_for_clients
from skep.model.errors import RefusedError
from tests.adapters.certified import server, with_ca
from tests.server.tls_certificates import CLIENT, SERVER, Subject, TestAuthority


@pytest.mark.parametrize("usages", [(CLIENT,), (SERVER, CLIENT), (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)])
def test_one_for_clients_is_taken(tmp_path: Path, usages: tuple[ExtendedKeyUsageOID, ...]) -> None:
    pair = TestAuthority(tmp_path).issue(Subject(usages=usages))  # type: ignore[arg-type]
    check_for_clients("lab", pair.cert)


def test_one_that_names_no_use_is_taken(tmp_path: Path) -> None:
    check_for_clients("lab", TestAuthority(tmp_path).ca)


def test_one_for_servers_alone_is_refused_with_what_it_lacks_and_how_to_make_another(tmp_path: Path) -> None:
    path = str(Path(server(with_ca(tmp_path)).path) / "cert.pem")
    with pytest.raises(RefusedError) as caught:
        check_for_clients("lab", path)
    told = str(caught.value)
    assert told.startswith(f"cluster lab: the certificate {path} is for servers alone")
    assert "lacks clientAuth" in told
    assert "`skep certs server NAME --also-client`" in told


@pytest.mark.parametrize("text", ["", "no certificate"])
def test_what_can_not_be_read_is_told_of_the_engine_and_not_here(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cert.pem"
    if text:
        path.write_text(text)
    check_for_clients("lab", str(path))
