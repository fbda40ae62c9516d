"""The certificates that we show and the CA that we ask for, read again when their files were renewed."""

import ssl
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from skep.model.errors import RefusedError
from skep.server.tls_handshake import WatchedContext
from skep.specs.renewed import Stamps, stamps
from skep.specs.unreadable import unreadable

log = structlog.get_logger()

LOOK_EVERY_S = 2.0
"""How long a renewed certificate may go unnoticed: three stats, and only when somebody connects."""


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Paths of PEM files: what the server shows, its key, and who may have signed its clients' certificates."""

    cert: str
    key: str
    client_ca: str

    def stamps(self) -> Stamps:
        """As specs.renewed has them, of all files."""
        return stamps((self.cert, self.key, self.client_ca))


class Certificates:
    """The TLS context of a server. A renewed file counts for connections from then on; those that are open stay."""

    def __init__(self, files: ServerFiles, look_every_s: float = LOOK_EVERY_S) -> None:
        """RefusedError names the file that is of no use, and why."""
        self.files = files
        self._look_every_s = look_every_s
        self._stamps = files.stamps()
        self._context = server_context(files)
        self._looked_s = time.monotonic()

    def context(self) -> ssl.SSLContext:
        """For the next connection. Files that are of no use are told once, and the ones before them stay."""
        if time.monotonic() - self._looked_s >= self._look_every_s:
            self.look()
        return self._context

    def look(self) -> None:
        """At the files, now."""
        self._looked_s = time.monotonic()
        now = self.files.stamps()
        if now == self._stamps:
            return
        self._stamps = now
        try:
            self._context = server_context(self.files)
        except RefusedError as error:
            log.warning("renewed certificates are of no use, the old ones stay", reason=str(error))
        else:
            log.info("certificates were renewed", cert=self.files.cert, client_ca=self.files.client_ca)


def server_context(files: ServerFiles) -> ssl.SSLContext:
    """TLS 1.2 or newer; clients need a certificate for clients that the CA signed. RefusedError as Certificates."""
    context = WatchedContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    # A ticket would be taken up again without a look at the certificate, which may have expired since.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    _load_own(context, files)
    _load_ca(context, files.client_ca)
    return context


def _load_own(context: ssl.SSLContext, files: ServerFiles) -> None:
    _text(files.cert, "certificate")
    if "ENCRYPTED" in _text(files.key, "key"):
        raise RefusedError(f"the key {files.key} has a passphrase, which nobody is there to type: give one without")
    try:
        context.load_cert_chain(files.cert, files.key, password="")
    except OSError as error:
        raise RefusedError(
            f"{files.key} is not the key of the certificate {files.cert}, or one of them is no PEM: {_reason(error)}"
        ) from error


def _load_ca(context: ssl.SSLContext, path: str) -> None:
    _text(path, "CA of clients")
    try:
        context.load_verify_locations(path)
    except OSError as error:
        raise RefusedError(f"the CA of clients {path} holds no certificate in PEM: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    """OpenSSL's word, or the system's where the file went away meanwhile."""
    return str(error.reason if isinstance(error, ssl.SSLError) else error.strerror)


def _text(path: str, what: str) -> str:
    """The file's text: ssl itself does not say which file it could not read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RefusedError(unreadable(what, path, error)) from error
