"""Where the API listens besides its socket: what is refused, and where the TLS files are."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from skep.model.errors import Fault
from skep.settings.given import Given, fault_at
from skep.settings.table import Value
from skep.specs.endpoints import listen_address, loopback_address

TLS_FILES: Final = ("tls_cert", "tls_key", "tls_client_ca")


def tls_paths(given: Mapping[str, Given]) -> dict[str, str]:
    """Absolute paths, empty for those that were not given; those of the file start at its folder."""
    return {name: _absolute(given.get(name)) for name in TLS_FILES}


def _absolute(given: Given | None) -> str:
    if given is None or not isinstance(given.value, str) or not given.value:
        return ""
    return str((Path(given.file).parent / Path(given.value).expanduser()).absolute())


def listening_faults(given: Mapping[str, Given], values: Mapping[str, Value]) -> Iterator[Fault]:
    """What can't be listened on, and TLS files that are missing or of no use."""
    ways: tuple[tuple[str, Callable[[str], tuple[str, int]]], ...] = (
        ("insecure_http", loopback_address),
        ("tls_listen", listen_address),
    )
    for name, address_of in ways:
        if values[name] and (message := address_fault(str(values[name]), address_of)):
            yield fault_at(given, name, message)
    missing = [name for name in TLS_FILES if not values[name]]
    if values["tls_listen"] and missing:
        yield fault_at(given, "tls_listen", f"needs {', '.join(missing)}: skep certs makes such files")
    if not values["tls_listen"]:
        for name in (name for name in TLS_FILES if name not in missing):
            yield fault_at(given, name, "is of no use without tls_listen")


def address_fault(address: str, address_of: Callable[[str], tuple[str, int]]) -> str:
    """Why nothing may listen there; empty when it may."""
    try:
        port = address_of(address)[1]
    except ValueError as error:
        return str(error)
    return "" if port else "must be HOST:PORT with a port from 1 on: nobody would know which was free"
