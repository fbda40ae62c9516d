"""Certificates for tests, as files: an engine's and a client's, of authorities that last as long as the test."""

import ssl
from pathlib import Path

import trustme

from skep.model.cluster import TlsFiles


class Authority:
    """One CA and what it signs, below a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder, self._ca = folder, trustme.CA()
        self.ca = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca))

    def issue(self, name: str, *identities: str) -> TlsFiles:
        """The files of a certificate for these names and addresses, in a folder of that name as docker's clients have
        it: ca.pem, cert.pem, key.pem."""
        folder = self._folder / name
        folder.mkdir()
        issued = self._ca.issue_cert(*identities)
        issued.private_key_pem.write_to_path(str(folder / "key.pem"))
        issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
        self._ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        return TlsFiles(*(str(folder / part) for part in ("ca.pem", "cert.pem", "key.pem")))

    def server(self, *identities: str) -> ssl.SSLContext:
        """An engine's side with --tlsverify: it takes clients of this authority only."""
        files = self.issue(f"server-{len(list(self._folder.iterdir()))}", *identities)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.cert, files.key)
        context.load_verify_locations(files.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        return context
