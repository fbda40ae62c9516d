"""Certificates for tests as `skep certs` makes them, and how openssl and TLS take them."""

import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

from cryptography import x509

from skep.adapters.certificate_folder import CertificateFolder, Listed
from skep.adapters.certificates import Use, wanted

NOW_S = float(int(time.time()))
SERVER, CLIENT, BOTH = (Use.SERVER,), (Use.CLIENT,), (Use.SERVER, Use.CLIENT)


def with_ca(path: Path) -> CertificateFolder:
    """With a CA, and nothing that it signed."""
    made = CertificateFolder(path)
    made.make_ca(NOW_S, 3650)
    return made


def server(folder: CertificateFolder, name: str = "node", *addresses: str) -> Listed:
    return folder.make(name, wanted(name, SERVER, addresses=addresses), NOW_S, 365)


def client(folder: CertificateFolder, name: str = "ann", role: str = "admin") -> Listed:
    return folder.make(name, wanted(name, CLIENT, role), NOW_S, 365)


def openssl(*words: str | Path) -> str:
    run = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=30, check=False)
    return run.stdout + run.stderr


def verdict(listed: Listed, purpose: str, *more: str) -> str:
    path = Path(listed.path)
    return openssl(
        "verify", "-x509_strict", "-purpose", purpose, *more, "-CAfile", path / "ca.pem", path / "cert.pem"
    ).splitlines()[-1]


def content(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def cert_of(listed: Listed) -> x509.Certificate:
    path = Path(listed.path)
    return x509.load_pem_x509_certificate((path if path.is_file() else path / "cert.pem").read_bytes())


def _end(context: ssl.SSLContext, raw: socket.socket, told: list[str], name: str | None) -> None:
    raw.settimeout(10)
    try:
        with context.wrap_socket(raw, server_side=name is None, server_hostname=name) as wrapped:
            # With TLS 1.3 a client is told only by the first answer that it was refused.
            wrapped.sendall(b"x")
            wrapped.recv(1)
            told.append(str(dict(part[0] for part in (wrapped.getpeercert() or {})["subject"])["commonName"]))
    except OSError as error:
        told.append(getattr(error, "verify_message", None) or getattr(error, "reason", None) or "hung up")
        raw.close()


def handshake(servers: Listed, clients: Listed, name: str) -> tuple[str, str]:
    """Whom the client saw, and whom the server saw; what was wrong where they saw nobody."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{servers.path}/ca.pem")
    serving.verify_mode = ssl.CERT_REQUIRED
    asking = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=f"{clients.path}/ca.pem")
    for context, listed in ((serving, servers), (asking, clients)):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_cert_chain(f"{listed.path}/cert.pem", f"{listed.path}/key.pem")
    here, there = socket.socketpair()
    by_server: list[str] = []
    by_client: list[str] = []
    other = threading.Thread(target=_end, args=(serving, there, by_server, None))
    with here, there:
        other.start()
        _end(asking, here, by_client, name)
        other.join(20)
    return by_client[0], by_server[0]


KEYS = {
    "RSA": ["-newkey", "rsa:2048"],
    "P-384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "Ed25519": ["-newkey", "ed25519"],
}


def by_openssl(place: Path, *words: str) -> CertificateFolder:
    """A CA as people make it by hand."""
    place.mkdir()
    openssl(
        "req", "-x509", "-nodes", "-subj", "/CN=ours", "-days", "900", "-keyout", place / "ca-key.pem", "-out",
        place / "ca.pem", *words,
    )  # fmt: skip
    return CertificateFolder(place)
