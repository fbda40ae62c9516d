"""TLS with engines: certificates from files, and what a failed handshake means in words."""

import ssl
from pathlib import Path
from typing import Any

from skep.adapters.docker_errors import UnreachableError
from skep.model.cluster import TlsFiles
from skep.specs.renewed import Stamps, stamps
from skep.specs.unreadable import unreadable


class RenewingContext(ssl.SSLContext):
    """Each connection is made with the files as they are by then: a CA that was taken out is trusted no more.

    OpenSSL can't take a CA out of a context, so that each time it is a new one. Files that are of no use for the moment
    leave the one before them in place. Raises as tls_context.
    """

    def __new__(cls, files: TlsFiles) -> "RenewingContext":
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._stamps = _stamps(files)
        self._made = tls_context(files)

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """As ssl's own."""
        self._look()
        return self._made.wrap_bio(*args, **options)

    def _look(self) -> None:
        now = _stamps(self._files)
        if now == self._stamps:
            return
        try:
            self._made = tls_context(self._files)
        except UnreachableError:
            return
        self._stamps = now


def _stamps(files: TlsFiles) -> Stamps:
    return stamps(path for path in (files.ca, files.cert, files.key) if path)


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.2 or newer, the engine's certificate and name verified. UnreachableError names the file and its fault."""
    context = _trusting(files.ca) if files.ca else ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _load_own(context, files)
    return context


def _load_own(context: ssl.SSLContext, files: TlsFiles) -> None:
    if not files.cert and not files.key:
        return
    if not files.cert or not files.key:
        raise UnreachableError("a client certificate needs both of its files, cert and key")
    _text(files.cert, "certificate")
    if "ENCRYPTED" in _text(files.key, "key"):
        raise UnreachableError(f"the key {files.key} has a passphrase, which nobody is there to type: give one without")
    try:
        context.load_cert_chain(files.cert, files.key, password="")
    except ssl.SSLError as error:
        raise UnreachableError(
            f"{files.key} is not the key of the certificate {files.cert}, or one of them is no PEM: {error.reason}"
        ) from error


def _trusting(path: str) -> ssl.SSLContext:
    _text(path, "CA")
    try:
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError as error:
        raise UnreachableError(f"the CA {path} holds no certificate in PEM: {error.reason}") from error


def _text(path: str, what: str) -> str:
    """The file's text: ssl itself does not say which file it could not read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UnreachableError(unreadable(what, path, error)) from error


_PLAIN = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL")
"""What OpenSSL calls an answer that is no TLS."""

_NAMES = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH."""
_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)
"""X509_V_ERR_ of chains that end at nobody who is trusted."""


def tls_fault(error: ssl.SSLError, files: TlsFiles) -> str:
    """What went wrong in a handshake, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _verification_fault(error, files)
    reason = error.reason or str(error)
    if any(word in reason for word in _PLAIN):
        return "it speaks plain HTTP there: name its TLS port (2376), or take the TLS files away"
    if "CERTIFICATE_REQUIRED" in reason or ("ALERT" in reason and not files.cert):
        return f"it wants a client certificate: give cert.pem and key.pem ({reason})"
    if "ALERT" in reason:
        return f"it refused the client certificate {files.cert}: is it signed by the engine's CA? ({reason})"
    return f"TLS failed: {reason}"


def hung_up_fault(files: TlsFiles) -> str:
    """With TLS 1.3 an engine looks at the client's certificate after the handshake; its reason may get lost then."""
    if files.cert:
        return f"it hung up after the handshake: it may not take the client certificate {files.cert}"
    return "it hung up after the handshake: it may want a client certificate (cert.pem and key.pem)"


def _verification_fault(error: ssl.SSLCertVerificationError, files: TlsFiles) -> str:
    signer = files.ca or "a CA that this host trusts"
    if error.verify_code in _NAMES:
        return f"its certificate is for another name ({error.verify_message}): use a name that is in the certificate"
    if error.verify_code in _UNKNOWN_ISSUER:
        return f"its certificate is not signed by {signer} ({error.verify_message}): give the CA that signed it"
    return f"its certificate is not accepted: {error.verify_message}"
