"""`certs`: certificates for engines, for skep, and for those who use them. Nobody is asked: all is in a folder."""

# pathlib would take longer to load than all the rest.
# ruff: noqa: PTH100, PTH111, PTH118

from __future__ import annotations

import os
import time

from skep.cli.failures import Failure
from skep.cli.output import Table, emit, flush, show
from skep.cli.place import state_dir
from skep.cli.spoken import spoken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    View = Mapping[str, Any]

DAY_S = 86400


def ca(folder: str | None, days: int, force: bool, form: str) -> None:
    """Make a CA, which signs the certificates of servers and clients.

    It goes to ca.pem and ca-key.pem, which only its user can read. Who has the key can make certificates for anybody:
    it is needed nowhere but here. A CA of openssl or docker-machine will do as well, where it has these names.

    \b
    Examples:
      skep certs ca
      skep certs ca --dir /srv/certs --days 1825
    """
    place = _place(folder)
    with spoken():
        made = place.make_ca(time.time(), days, force=force)
    _tell([made], form, "made the CA")


def server(
    name: str,
    addresses: tuple[str, ...],
    also_client: bool,
    folder: str | None,
    days: int,
    force: bool,
    form: str,
) -> None:
    """Make a certificate for a server: a Docker Engine, or skep itself.

    It is valid at NAME, where that is a host's name or an address, and at each --address. The files are in the folder
    NAME. With --also-client it may be shown to other servers, too: swarm-cluster-state-manager has only one for both.

    \b
    Examples:
      skep certs server node-1 --address 10.0.0.1
      skep certs server manager --address localhost --address 127.0.0.1 --also-client
    """
    uses = ("server", "client") if also_client else ("server",)
    _make(name, uses, "", addresses, folder, days, force, form)


def client(name: str, role: str, folder: str | None, days: int, force: bool, form: str) -> None:
    """Make a certificate for somebody who uses servers.

    The files are in the folder NAME, which DOCKER_CERT_PATH can name. To skep, an admin may do everything and a viewer
    read; a Docker Engine knows no roles and lets everybody do everything.

    \b
    Examples:
      skep certs client ann
      skep certs client dashboard --role viewer --days 90
    """
    _make(name, ("client",), role, (), folder, days, force, form)


def _make(
    name: str,
    uses: tuple[str, ...],
    role: str,
    addresses: tuple[str, ...],
    folder: str | None,
    days: int,
    force: bool,
    form: str,
) -> None:
    from skep.adapters.certificates import Use, wanted  # noqa: PLC0415 - what no other command needs

    place = _place(folder)
    with spoken():
        asked = wanted(name, tuple(Use(use) for use in uses), role, addresses)
        made = place.make(name, asked, time.time(), days, force=force)
    _tell([made], form, "made")


def renew(names: tuple[str, ...], folder: str | None, days: int | None, form: str) -> None:
    """Make certificates again, with new keys and the same names and role: those named, else all but the CA.

    They are valid from now on for as long as before. If one can't be renewed, nothing is changed.

    \b
    Examples:
      skep certs renew
      skep certs renew ann node-1
    """
    place = _place(folder)
    with spoken():
        made = place.renew(names, time.time(), days or 0)
    _tell(made, form, "renewed", f"There are no certificates in {place.path}.")


def listed(folder: str | None, within_days: int | None, form: str) -> None:
    """List the CA and the certificates: what for, for whom, and until when.

    With --check, it exits 1 if one of them expires within so many days, or can't be used.

    \b
    Examples:
      skep certs ls
      skep certs ls --check 30
    """
    place = _place(folder)
    now_s = time.time()
    with spoken():
        found = [_view(one, now_s) for one in place.listed(now_s)]
    emit(found, form, lambda: show(certificates(found), f"There are no certificates in {place.path}."))
    if within_days is not None:
        _check(found, within_days)


def certificates(found: Iterable[View]) -> Table:
    """A line for each certificate."""
    rows = tuple(
        (
            one["name"],
            ",".join(one["use"]),
            one["role"],
            ",".join(one["addresses"]),
            _day(one["expiresSeconds"]),
            str(one["daysLeft"]) if one["expiresSeconds"] else "",
            one["state"],
            one["detail"],
        )
        for one in found
    )
    return Table(("NAME", "USE", "ROLE", "ADDRESSES", "EXPIRES", "DAYS", "STATE", "DETAIL"), rows)


def _check(found: Sequence[View], within_days: int) -> None:
    """Failure with each certificate that needs to be looked after."""
    flush()
    faults = [f"{one['name']} can't be used: {one['detail']}" for one in found if one["state"] == "broken"]
    for one in found:
        left = one["daysLeft"]
        if one["state"] == "expired":
            faults.append(f"{one['name']} expired on {_day(one['expiresSeconds'])}")
        elif one["state"] != "broken" and left < within_days:
            faults.append(f"{one['name']} expires on {_day(one['expiresSeconds'])}, in {left} days")
    if faults:
        raise Failure("\n".join(faults))


def _view(one: Any, now_s: float) -> View:
    """As JSON has it. `daysLeft` counts whole days."""
    return {
        "name": one.name,
        "path": one.path,
        "use": one.use.split(",") if one.use else [],
        "role": one.role,
        "addresses": list(one.places),
        "serial": one.serial,
        "beginsSeconds": int(one.begins_s),
        "expiresSeconds": int(one.ends_s),
        "daysLeft": int((one.ends_s - now_s) // DAY_S) if one.ends_s else 0,
        "state": one.state,
        "detail": one.fault,
    }


def _tell(made: Sequence[Any], form: str, done: str, nothing: str = "") -> None:
    now_s = time.time()
    emit([_view(one, now_s) for one in made], form, lambda: [f"{done} {_words(one)}" for one in made] or [nothing])


def _words(one: Any) -> str:
    if one.use == "ca":
        return f"in {one.path}"
    role = f" ({one.role})" if one.role else ""
    at = f", valid at {', '.join(one.places)}" if one.places else ""
    return f"{one.name}{role} in {one.path}{at}"


def _day(seconds: float) -> str:
    """In UTC, as certificates have it."""
    return time.strftime("%Y-%m-%d", time.gmtime(seconds)) if seconds else ""


def _place(folder: str | None) -> Any:
    from pathlib import Path  # noqa: PLC0415 - its classes are the adapters'

    from skep.adapters.certificate_folder import CertificateFolder  # noqa: PLC0415 - what no other command needs

    named = os.path.expanduser(folder) if folder else os.path.join(state_dir(os.environ, os.getuid()), "certs")
    return CertificateFolder(Path(os.path.abspath(named)))
