"""A folder of certificates: a CA, and for each certificate a folder as DOCKER_CERT_PATH has it.

    DIR/ca.pem, DIR/ca-key.pem
    DIR/NAME/ca.pem, cert.pem, key.pem

Keys are 0600 and folders 0700. InvalidError names each file that can't be used.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography import x509

from skep.adapters.certificate_files import (
    certs_in,
    file_fault,
    key_in,
    make_folder,
    read_bytes,
    remove_draft_folders,
    replace_files,
    write_new_folder,
)
from skep.adapters.certificates import (
    DAY_S,
    NAME_MAX,
    Pair,
    Wanted,
    as_wanted,
    belongs,
    ca_fault,
    day,
    days_of,
    is_signed_by,
    make_ca,
    name_fault,
    places_of,
    role_of,
    sign,
)
from skep.model.errors import Fault, InvalidError, NotFoundError, RefusedError, SkepError

CA: Final = "ca.pem"
CA_KEY: Final = "ca-key.pem"
CERT: Final = "cert.pem"
KEY: Final = "key.pem"
MODES: Final = {CA: 0o644, CA_KEY: 0o600, CERT: 0o644, KEY: 0o600}

SOON_S: Final = 30 * DAY_S
"""What ends sooner is told, unless more than a third of its time is left: some are made for a few days."""

_TAKEN: Final = {*MODES, "ca"}
"""Names that other things have in such a folder, or in a list of it."""
_NAME = re.compile(r"[a-zA-Z0-9](?:[-_.@a-zA-Z0-9]*[a-zA-Z0-9])?")


@dataclass(frozen=True, slots=True)
class Listed:
    """A certificate as it lies there: which, for whom, until when.

    `path` is the CA's file, or the folder of another certificate. `use` is `ca`, `server`, `client` or `server,client`.
    `state` is `valid`, `expired`, `early` (not valid yet) or `broken`; `fault` says why it is broken, or that it ends
    soon. Of one that can't be read, all else is empty and the times are 0.
    """

    name: str
    path: str
    use: str = ""
    role: str = ""
    places: tuple[str, ...] = ()
    serial: str = ""
    begins_s: float = 0
    ends_s: float = 0
    state: str = "valid"
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Authority:
    """The CA with its key, and all of its file: beside the CA, others may be trusted."""

    pair: Pair
    trusted: bytes


class CertificateFolder:
    """The certificates of one folder, which is made with its CA. The clock is an input."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make_ca(self, now_s: float, days: int, *, force: bool = False) -> Listed:
        """A new CA. RefusedError: there is one, and no `force` to put this in its place."""
        there = [str(self.path / name) for name in (CA, CA_KEY) if os.path.lexists(self.path / name)]
        if there and not force:
            raise RefusedError(
                f"there already: {', '.join(there)}; --force makes a new CA in its place, and then all certificates "
                "have to be renewed"
            )
        pair = make_ca(now_s, days)
        make_folder(self.path)
        replace_files(self.path, _files({CA_KEY: pair.key_pem, CA: pair.cert_pem}))
        return self._listed_ca(now_s)

    def make(self, name: str, wanted: Wanted, now_s: float, days: int, *, force: bool = False) -> Listed:
        """A new certificate in the folder of its name. RefusedError: it is there, and no `force` to replace it."""
        _check_name(name)
        folder = self.path / name
        taken = RefusedError(f"{folder} is there already: `skep certs renew {name}` renews it, --force replaces it")
        if os.path.lexists(folder) and not force:
            raise taken
        if os.path.lexists(folder) and not folder.is_dir():
            raise file_fault(folder, "is there already, and no folder")
        authority = self._authority()
        files = _of_pair(sign(authority.pair, wanted, now_s, days), authority)
        if force and folder.is_dir():
            replace_files(folder, files)
        elif not write_new_folder(folder, files):
            raise taken
        return self._listed(name, now_s, self._trusted())

    def renew(self, names: Sequence[str], now_s: float, days: int = 0) -> list[Listed]:
        """New keys and certificates with the same names and roles; of all, where none is named.

        `days` 0: for as many as each was made for. Nothing is changed where one of them can't be renewed.
        """
        authority = self._authority()
        if "ca" in names:
            raise RefusedError(
                "a CA is not renewed: `skep certs ca --force` makes a new one in its place, and then `skep certs "
                "renew` renews all that the old one signed"
            )
        faults: list[Fault] = []
        pairs = {}
        for name in dict.fromkeys(names or self.names()):
            try:
                cert, wanted = self._old(name)
                pairs[name] = sign(authority.pair, wanted, now_s, days or days_of(cert))
            except InvalidError as error:
                faults += error.faults
            except SkepError as error:
                faults.append(Fault(str(error), file=str(self.path / name)))
        if faults:
            raise InvalidError(faults)
        remove_draft_folders(self.path)
        for name, pair in pairs.items():
            replace_files(self.path / name, _of_pair(pair, authority))
        return [self._listed(name, now_s, self._trusted()) for name in pairs]

    def names(self) -> list[str]:
        """The names of the certificates in order; empty where there is no such folder."""
        try:
            with os.scandir(self.path) as entries:
                folders = [one.name for one in entries if one.name[:1] != "." and one.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise file_fault(self.path, f"can't be listed: {error.strerror}") from error
        return sorted(name for name in folders if os.path.lexists(self.path / name / CERT))

    def listed(self, now_s: float) -> list[Listed]:
        """The CA, then each certificate by its name, with what is wrong with it."""
        has_ca = any(os.path.lexists(self.path / name) for name in (CA, CA_KEY))
        trusted = self._trusted()
        found = [self._listed_ca(now_s)] if has_ca else []
        return [*found, *(self._listed(name, now_s, trusted) for name in self.names())]

    def _authority(self) -> _Authority:
        path = self.path / CA
        if not os.path.lexists(path) and not os.path.lexists(self.path / CA_KEY):
            raise NotFoundError(f"there is no CA in {self.path}: make one with `skep certs ca`, or name its --dir")
        cert, key = self._ca(), key_in(self.path / CA_KEY)
        if fault := ca_fault(cert):
            raise file_fault(path, fault)
        return _Authority(Pair(cert, key), read_bytes(path))

    def _ca(self) -> x509.Certificate:
        """The certificate of ca-key.pem, which may not be the first one of ca.pem."""
        certs, key = certs_in(self.path / CA), key_in(self.path / CA_KEY)
        own = [cert for cert in certs if belongs(cert, key)]
        if not own:
            raise file_fault(self.path / CA_KEY, f"is not the key of {self.path / CA}")
        return own[0]

    def _trusted(self) -> list[x509.Certificate]:
        """All that ca.pem holds; nobody where it can't be read, which is told of the CA itself."""
        try:
            return certs_in(self.path / CA)
        except InvalidError:
            return []

    def _old(self, name: str) -> tuple[x509.Certificate, Wanted]:
        """The certificate that is to be renewed, and what it is for."""
        _check_name(name)
        path = self.path / name / CERT
        if not os.path.lexists(path):
            raise NotFoundError(f"there is no such certificate; there are: {', '.join(self.names()) or 'none'}")
        cert = certs_in(path)[0]
        return cert, _told_of(path, lambda: as_wanted(cert))

    def _listed_ca(self, now_s: float) -> Listed:
        path = self.path / CA
        listed = Listed("ca", str(path), "ca")
        try:
            cert = self._ca()
        except InvalidError as error:
            return replace(listed, state="broken", fault=str(error))
        return _dated(listed, cert, now_s, ca_fault(cert))

    def _listed(self, name: str, now_s: float, trusted: Sequence[x509.Certificate]) -> Listed:
        folder = self.path / name
        listed = Listed(name, str(folder))
        try:
            cert, wanted = self._old(name)
            listed = replace(
                listed,
                use=",".join(use.value for use in wanted.uses),
                role=role_of(wanted),
                places=places_of(wanted),
            )
            whole = belongs(cert, key_in(folder / KEY))
        except SkepError as error:
            return replace(listed, state="broken", fault=str(error))
        fault = "" if whole else f"{folder / KEY} is not its key: renew it"
        if not any(is_signed_by(cert, ca) for ca in trusted):
            fault = fault or f"not signed by {self.path / CA}: renew it"
        return _dated(listed, cert, now_s, fault)


def _check_name(name: str) -> None:
    """InvalidError: it can't be a folder's name and a certificate's common name."""
    if name in _TAKEN or len(name) > NAME_MAX or not _NAME.fullmatch(name):
        raise InvalidError([name_fault(name)])


def _of_pair(pair: Pair, authority: _Authority) -> Mapping[str, tuple[bytes, int]]:
    """The certificate comes last: what is to be renewed is read from it, should the renewal be cut short."""
    return _files({CA: authority.trusted, KEY: pair.key_pem, CERT: pair.cert_pem})


def _files(contents: Mapping[str, bytes]) -> Mapping[str, tuple[bytes, int]]:
    return {name: (data, MODES[name]) for name, data in contents.items()}


def _told_of(path: Path, act: Callable[[], Wanted]) -> Wanted:
    """What `act` gives, with the file's name in its faults."""
    try:
        return act()
    except InvalidError as error:
        raise InvalidError([replace(fault, file=str(path)) for fault in error.faults]) from error


def _dated(listed: Listed, cert: x509.Certificate, now_s: float, fault: str) -> Listed:
    begins_s, ends_s = cert.not_valid_before_utc.timestamp(), cert.not_valid_after_utc.timestamp()
    state = "broken" if fault else "expired" if ends_s <= now_s else "early" if begins_s > now_s else "valid"
    soon = "ends soon" if ends_s - now_s < min(SOON_S, (ends_s - begins_s) / 3) else ""
    told = fault or {"expired": f"since {day(ends_s)}", "early": f"valid from {day(begins_s)} on"}.get(state, soon)
    serial = f"{cert.serial_number:x}"
    return replace(listed, serial=serial, begins_s=begins_s, ends_s=ends_s, state=state, fault=told)
