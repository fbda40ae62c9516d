"""Who shows a client certificate: a name for the history, and a role.

A role is an organizational unit (OU) in the certificate's subject: `skep:admin` may do all, `skep:viewer` may read. A
certificate without any that begins with `skep:` is an admin's, since those of docker-machine (the reference document)
know no roles. One with a role that is not known, as `skep:none`, may do nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

PREFIX = "skep:"
NAME_MAX = 64
"""Characters: X.520's own bound of a common name."""


class Role(StrEnum):
    """What somebody may do."""

    ADMIN = "admin"
    VIEWER = "viewer"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class TlsPeer:
    """`name` is the subject's common name, else another name in it."""

    name: str
    role: Role

    def bounds(self) -> str:
        """What its role keeps it from, for the log: the same whatever it asks; empty when it may do all."""
        if self.role is Role.NONE:
            return f"the certificate of {self.name} has no role here"
        if self.role is Role.VIEWER:
            return f"the certificate of {self.name} is a viewer's (skep:viewer): it may only read"
        return ""

    def objection(self, method: str) -> str:
        """Why this peer may not do that; empty when it may."""
        if self.role is Role.NONE:
            return f"the certificate of {self.name} has no role here: skep:admin or skep:viewer"
        if self.role is Role.VIEWER and method not in ("GET", "HEAD"):
            return f"the certificate of {self.name} is a viewer's (skep:viewer): it may read, not {method}"
        return ""


def tls_peer(certificate: Mapping[str, Any]) -> TlsPeer:
    """The peer of a verified certificate, as `SSLObject.getpeercert` gives it."""
    return TlsPeer(_name(certificate), _role([*_subject(certificate, "organizationalUnitName")]))


def _role(units: list[str]) -> Role:
    """The least of several."""
    given = {unit.lower().removeprefix(PREFIX) for unit in units if unit.lower().startswith(PREFIX)}
    if not given <= {Role.ADMIN, Role.VIEWER}:
        return Role.NONE
    return Role.VIEWER if Role.VIEWER in given else Role.ADMIN


def _name(certificate: Mapping[str, Any]) -> str:
    """docker-machine's client certificates have an organization alone."""
    names = (
        *_subject(certificate, "commonName"),
        *(value for _, value in certificate.get("subjectAltName", ())),
        *_subject(certificate, "organizationName"),
        f"certificate {certificate.get('serialNumber', '')}",
    )
    shown = ("".join(c for c in name if c.isprintable()).strip()[:NAME_MAX] for name in names)
    return next(name for name in shown if name)


def _subject(certificate: Mapping[str, Any], field: str) -> Iterator[str]:
    return (value for part in certificate.get("subject", ()) for name, value in part if name == field)
