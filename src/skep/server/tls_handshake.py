"""Handshakes that fail: what is still said to the client, and what it means in words."""

import errno
import ssl
import time
from collections.abc import Mapping
from typing import Any

PLAIN_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"this port speaks HTTPS: write https://\n"
)
"""To those who speak plain HTTP, for whom an alert is noise."""

NO_CERTIFICATE = "it shows no client certificate"
PLAIN_HTTP = "it speaks plain HTTP"


class HandshakeError(ssl.SSLError):
    """A handshake failed. `alert` is what TLS still has to say to the other side: asyncio itself would drop it, and
    the client would know no more than that the connection is gone."""

    def __init__(self, cause: ssl.SSLError, alert: bytes) -> None:
        super().__init__(*cause.args)
        self.cause, self.alert = cause, alert

    def last_words(self) -> bytes:
        """What the client is told before the connection is closed."""
        return PLAIN_ANSWER if handshake_fault(self.cause) == PLAIN_HTTP else self.alert


class _WatchedObject(ssl.SSLObject):
    outgoing: ssl.MemoryBIO

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLSyscallError):
            raise
        except ssl.SSLError as error:
            raise HandshakeError(error, self.outgoing.read()) from error
        if self.session_reused and _is_over(self.getpeercert()):
            raise HandshakeError(_expired(), b"")


def _is_over(certificate: Mapping[str, Any] | None) -> bool:
    """Whether a certificate has expired, or is none."""
    return not certificate or ssl.cert_time_to_seconds(certificate["notAfter"]) <= time.time()


def _expired() -> ssl.SSLCertVerificationError:
    """As OpenSSL says it of certificates that are shown."""
    error = ssl.SSLCertVerificationError(1, "certificate has expired")
    error.verify_code, error.verify_message = _EXPIRED, "certificate has expired"
    return error


class WatchedContext(ssl.SSLContext):
    """A context whose handshakes fail with HandshakeError.

    Sessions of TLS 1.2 are remembered by OpenSSL, and Python can't forbid it: one that is taken up again is asked
    whether its certificate has expired since. Those of other CAs were another context's.
    """

    sslobject_class = _WatchedObject

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **options: Any) -> ssl.SSLObject:
        """As ssl's own."""
        made = super().wrap_bio(incoming, outgoing, *args, **options)
        assert isinstance(made, _WatchedObject)
        made.outgoing = outgoing
        return made


_EXPIRED = 10
_VERIFICATION = {
    2: "its certificate is not signed by our CA of clients",
    7: "its certificate is not signed by our CA of clients",
    9: "its certificate is not valid yet",
    _EXPIRED: "its certificate has expired",
    18: "its certificate is not signed by our CA of clients",
    19: "its certificate is not signed by our CA of clients",
    20: "its certificate is not signed by our CA of clients",
    21: "its certificate is not signed by our CA of clients",
    26: "its certificate is not for clients",
}
"""X509_V_ERR_ of OpenSSL."""

_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": NO_CERTIFICATE,
    "HTTP_REQUEST": PLAIN_HTTP,
    "HTTPS_PROXY_REQUEST": PLAIN_HTTP,
    "UNSUPPORTED_PROTOCOL": "it offers no TLS as new as 1.2",
    "WRONG_VERSION_NUMBER": "what it speaks is no TLS",
}


def handshake_fault(error: Exception) -> str:
    """Why a handshake failed, without anything that the other side could have chosen."""
    cause = error.cause if isinstance(error, HandshakeError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _VERIFICATION.get(cause.verify_code, f"its certificate is not accepted: {cause.verify_message}")
    if not isinstance(cause, OSError):
        return f"its certificate can't be read ({type(cause).__name__})"
    if not isinstance(cause, ssl.SSLError):
        full = cause.errno in (errno.EMFILE, errno.ENFILE)
        return "too many files are open here" if full else "it hung up, or did not end the handshake in time"
    reason = getattr(cause, "reason", None) or "unknown"
    if "ALERT" in reason:
        return f"it does not take our certificate ({reason})"
    return _REASONS.get(reason, f"TLS failed ({reason})")
