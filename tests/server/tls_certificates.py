"""Certificates that a test wants to be wrong in one way: expired, of another purpose, with a role."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
DAY = datetime.timedelta(days=1)
EXPIRED = (-3 * DAY, -2 * DAY)


@dataclass(frozen=True)
class Pair:
    """Paths of a certificate and its key."""

    cert: str
    key: str


@dataclass(frozen=True)
class Subject:
    """Who a certificate is for. `lasts` is from when to when, seen from now."""

    name: str = "ann"
    units: Sequence[str] = ()
    usages: Sequence[x509.ObjectIdentifier] = (CLIENT,)
    lasts: tuple[datetime.timedelta, datetime.timedelta] = (-DAY, DAY)
    organization: str = ""

    def as_name(self) -> x509.Name:
        parts = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in self.units]
        if self.name:
            parts.append(x509.NameAttribute(NameOID.COMMON_NAME, self.name))
        if self.organization:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organization))
        return x509.Name(parts)


@dataclass
class TestAuthority:
    """A CA of its own; what it issues lies below `folder`."""

    __test__ = False

    folder: Path
    name: str = "CA of tests"
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    _issued: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._subject = Subject(self.name, lasts=(-10 * DAY, 10 * DAY))
        made = self._builder(self._subject, self._key).add_extension(x509.BasicConstraints(True, None), True)
        self.ca = str(self.folder / "ca.pem")
        Path(self.ca).write_bytes(_pem(made.sign(self._key, hashes.SHA256())))

    def _builder(self, subject: Subject, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        begins, ends = subject.lasts
        return (
            x509.CertificateBuilder()
            .subject_name(subject.as_name())
            .issuer_name(self._subject.as_name())
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
        )

    def issue(self, subject: Subject, to: Pair | None = None) -> Pair:
        """Files of its own, or in place of others."""
        self._issued += 1
        key = ec.generate_private_key(ec.SECP256R1())
        pair = to or Pair(str(self.folder / f"cert-{self._issued}.pem"), str(self.folder / f"key-{self._issued}.pem"))
        made = self._builder(subject, key).add_extension(x509.ExtendedKeyUsage(subject.usages), False)
        if SERVER in subject.usages:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")])
            made = made.add_extension(names, False)
        encoding, form, plain = (
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        Path(pair.key).write_bytes(key.private_bytes(encoding, form, plain))
        Path(pair.cert).write_bytes(_pem(made.sign(self._key, hashes.SHA256())))
        return pair


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
