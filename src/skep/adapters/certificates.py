"""Certificates as values: a CA, what it signs for servers and clients, and what a certificate says.

Keys are ECDSA P-256; that of a CA which was made elsewhere may be RSA, on another curve, Ed25519 or Ed448. Times are
seconds since 1970.
"""

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from skep.model.errors import Fault, InvalidError, RefusedError

DAY_S: Final = 86_400
SKEW_S: Final = 300
"""Certificates begin so much earlier: the other side's clock may be slow."""

CA_DAYS: Final = 3650
LEAF_DAYS: Final = 365

_NEW_CA: Final = "make a new CA with `skep certs ca --force`, and renew all"

ROLE: Final = "skep:"
"""Before the role, in an organizational unit of the subject."""

NAME_MAX: Final = 64
"""Characters of a common name (RFC 5280, ub-common-name)."""

SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


Found = TypeVar("Found", bound=x509.ExtensionType)


class Use(Enum):
    """What a certificate may be shown for."""

    SERVER = "server"
    CLIENT = "client"


_PURPOSES: Final = {Use.SERVER: ExtendedKeyUsageOID.SERVER_AUTH, Use.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who a certificate is for: its subject, what it is shown for, and the names and addresses that it is valid at."""

    subject: x509.Name
    uses: tuple[Use, ...]
    places: tuple[x509.GeneralName, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its own key."""

    cert: x509.Certificate
    key: SigningKey

    @property
    def cert_pem(self) -> bytes:
        """As it stands in a file."""
        return self.cert.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """PKCS #8 without a passphrase, as programs that start by themselves need it."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def wanted(name: str, uses: tuple[Use, ...], role: str = "", addresses: tuple[str, ...] = ()) -> Wanted:
    """Who a certificate is for, of words. A server's is also valid at its name, where that can be one of a host.

    InvalidError: the name can't be a common name, an address is none, or a server has none.
    """
    try:
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    except ValueError as error:
        raise InvalidError([name_fault(name)]) from error
    if role:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, ROLE + role))
    texts = dict.fromkeys([*([name] if Use.SERVER in uses and _place(name) else []), *addresses])
    places = {text: _place(text) for text in texts}
    faults = [
        Fault(f"{text!r} is neither a host's name nor an IP address") for text, place in places.items() if place is None
    ]
    if Use.SERVER in uses and not places:
        faults.append(Fault(f"{name!r} is no host's name: give the server's name or address with --address"))
    if faults:
        raise InvalidError(faults)
    return Wanted(x509.Name(parts), uses, tuple(place for place in places.values() if place is not None))


def name_fault(name: str) -> Fault:
    """The fault of one that can't be a folder's name and a certificate's common name."""
    return Fault(f"{name!r} can't be a name: it has up to {NAME_MAX} letters, digits and, inside, - _ . @")


_LABEL = re.compile(r"(?!-)[a-zA-Z0-9_-]{1,63}(?<!-)")


def _place(text: str) -> x509.GeneralName | None:
    """None for what is neither an IP address nor a name in DNS, whose first label may be `*`."""
    try:
        return None if "%" in text else x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        labels = text.removeprefix("*.").split(".")
    # A name that ends in digits is read as an IPv4 address by those who check it (RFC 3696, 2).
    if len(text) > 253 or labels[-1].isdigit() or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    return x509.DNSName(text)


def make_ca(now_s: float, days: int = CA_DAYS) -> Pair:
    """A CA of its own, which signs no other CA. Each has another name, so that nobody takes one for the other."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"skep CA {serial:040x}"[:24])])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    cert = (
        _begun(name, name, key, serial, now_s, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(cert, key)


def sign(ca: Pair, wanted: Wanted, now_s: float, days: int = LEAF_DAYS) -> Pair:
    """A new key, and the CA's certificate for it. RefusedError: the CA is not valid now, or ends sooner."""
    _check_span(ca.cert, now_s, days)
    key = ec.generate_private_key(ec.SECP256R1())
    begun = (
        _begun(wanted.subject, ca.cert.subject, key, x509.random_serial_number(), now_s, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_PURPOSES[use] for use in wanted.uses]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority(ca.cert), critical=False)
    )
    if wanted.places:
        begun = begun.add_extension(x509.SubjectAlternativeName(wanted.places), critical=False)
    edwards = isinstance(ca.key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)  # they bring their own hash
    return Pair(begun.sign(ca.key, None if edwards else hashes.SHA256()), key)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, serial: int, now_s: float, days: int
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=serial,
        not_valid_before=_moment(now_s - SKEW_S),
        not_valid_after=_moment(now_s + days * DAY_S),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _usage(*, signs: bool) -> x509.KeyUsage:
    """A CA signs certificates and lists of revoked ones, others sign handshakes: ECDSA keys encipher nothing."""
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The identifier that the CA has; old ones have none, and then it is that of its key (RFC 5280, 4.2.1.1)."""
    found = _extension(ca, x509.SubjectKeyIdentifier)
    if found is not None:
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found)
    key = ca.public_key()
    if not isinstance(
        key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
    ):
        raise InvalidError([Fault("the CA's key is of a kind that can't sign certificates here")])
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _check_span(ca: x509.Certificate, now_s: float, days: int) -> None:
    """RefusedError: the CA is not valid now, or not for so many days."""
    begins_s, ends_s = ca.not_valid_before_utc.timestamp(), ca.not_valid_after_utc.timestamp()
    if ends_s <= now_s:
        raise RefusedError(f"the CA expired on {day(ends_s)}: {_NEW_CA}")
    if begins_s > now_s + SKEW_S:
        raise RefusedError(f"the CA is not valid before {day(begins_s)}: is the clock of this host right?")
    left = int((ends_s - now_s) // DAY_S)
    if left < days:
        sooner = f"take --days {left}, or " if left else ""
        raise RefusedError(f"the CA ends on {day(ends_s)}, sooner than a certificate of {days} days: {sooner}{_NEW_CA}")


def day(seconds: float) -> str:
    """`2027-11-22`, in UTC."""
    return f"{_moment(seconds):%Y-%m-%d}"


def _extension(cert: x509.Certificate, kind: type[Found]) -> Found | None:
    try:
        return cert.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def as_wanted(cert: x509.Certificate) -> Wanted:
    """What a certificate was made for, to make it again. InvalidError: neither for servers nor for clients."""
    purposes = _extension(cert, x509.ExtendedKeyUsage)
    uses = tuple(use for use, purpose in _PURPOSES.items() if purposes is not None and purpose in purposes)
    if not uses:
        raise InvalidError([Fault("the certificate is neither for servers nor for clients")])
    found = _extension(cert, x509.SubjectAlternativeName)
    return Wanted(cert.subject, uses, tuple(found) if found is not None else ())


def role_of(wanted: Wanted) -> str:
    """What a client may do; without a role in its certificate, as of docker-machine, everything. Empty for servers."""
    units = wanted.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    texts = [str(unit.value).lower() for unit in units]  # as those who let clients in read them
    roles = [text.removeprefix(ROLE) for text in texts if text.startswith(ROLE)]
    return ",".join(roles) or ("admin" if Use.CLIENT in wanted.uses else "")


def places_of(wanted: Wanted) -> tuple[str, ...]:
    """The names and addresses as text."""
    return tuple(str(getattr(place, "value", place)) for place in wanted.places)


def days_of(cert: x509.Certificate) -> int:
    """How many days it was made for, at least one."""
    span_s = (cert.not_valid_after_utc - cert.not_valid_before_utc).total_seconds() - SKEW_S
    return max(1, round(span_s / DAY_S))


def read_certs(pem: bytes) -> list[x509.Certificate]:
    """All certificates of a file, at least one. ValueError says what is wrong."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ValueError("holds no certificate in PEM, or a broken one") from error


def read_key(pem: bytes) -> SigningKey:
    """A key in PEM: PKCS #8, or the older forms of openssl. ValueError says what is wrong."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ValueError("has a passphrase, which nobody is there to type: take it off with `openssl pkey`") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("holds no key in PEM, or a broken one") from error
    if not isinstance(key, SigningKey):
        raise ValueError(f"is of a kind that is not used for TLS: {type(key).__name__}")
    return key


def belongs(cert: x509.Certificate, key: SigningKey) -> bool:
    """Whether it is the certificate's own key."""
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return cert.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)


def ca_fault(cert: x509.Certificate) -> str:
    """Why nothing can be signed with it; empty where it is a CA."""
    basics, usage = _extension(cert, x509.BasicConstraints), _extension(cert, x509.KeyUsage)
    if basics is None or not basics.ca:
        return "is no CA: its certificate says so, or says nothing"
    return "may not sign certificates: its key usage lacks it" if usage and not usage.key_cert_sign else ""


def is_for(cert: x509.Certificate, use: Use) -> bool:
    """Whether it may be shown for this; one that names no purpose may be for any."""
    purposes = _extension(cert, x509.ExtendedKeyUsage)
    return purposes is None or _PURPOSES[use] in purposes or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in purposes


def is_signed_by(cert: x509.Certificate, ca: x509.Certificate) -> bool:
    """Whether the CA's key made it; nothing is said about time."""
    try:
        cert.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
