"""The clusters that flags, environment and file name: the strongest of them wins for each name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Generic, TypeVar

from skep.model.cluster import StaticCluster, TlsFiles
from skep.model.errors import Fault
from skep.settings.given import Given
from skep.settings.table import ClusterTls
from skep.specs.endpoints import endpoint_fault, without_password
from skep.specs.references import duplicates, name_fault

T = TypeVar("T")

_FOLDER_FILES: Final = ("ca.pem", "cert.pem", "key.pem")
_FILE_KEYS: Final = ("tlscacert", "tlscert", "tlskey")
_KEYS: Final = ("endpoints", "cert_path", *_FILE_KEYS)


@dataclass(frozen=True, slots=True)
class ClusterSources:
    """What was given. `table` is the file's; `clusters` and `tls` are words, the weaker source first."""

    table: Given | None
    clusters: Sequence[Given]
    tls: Sequence[Given]


@dataclass(frozen=True, slots=True)
class Clusters:
    """What came of it, with all that is wrong."""

    clusters: tuple[StaticCluster, ...]
    tls: tuple[ClusterTls, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Read(Generic[T]):
    """A value that could be read, and where it stood."""

    value: T
    given: Given


def read_clusters(sources: ClusterSources) -> Clusters:
    """All clusters by the order of their first mention."""
    faults: list[Fault] = []
    tables = _tables(sources.table, faults)
    named = _endpoints_of_tables(tables, faults) | _words(sources.clusters, "NAME=URL[,URL…]", faults)
    endpoints = {name: read for name, one in named.items() if (read := _checked(name, one, faults)) is not None}
    folders = _words(sources.tls, "NAME=FOLDER", faults)
    files = _files_of_tables(tables, faults) | {
        name: _Read(_in_folder(Path(one.value).expanduser().absolute(), one.given, faults), one.given)
        for name, one in folders.items()
    }
    clusters = tuple(StaticCluster(name, one.value) for name, one in endpoints.items())
    tls = tuple(_tls(files, named, endpoints, faults))
    faults += _quarrels(tls, files)
    return Clusters(clusters, tls, tuple(faults))


# --- words: NAME=… ----------------------------------------------------------------------------------------------


def _words(words: Sequence[Given], form: str, faults: list[Fault]) -> dict[str, _Read[str]]:
    """What stands behind each name. A name twice in one source is a fault, in a stronger one it replaces."""
    found: dict[str, _Read[str]] = {}
    for given in words:
        name, _, rest = str(given.value).partition("=")
        if not name or not rest:
            faults.append(given.fault(f'must be {form}, not "{without_password(str(given.value))}"'))
        elif name in found and found[name].given.place == given.place:
            faults.append(given.fault(f"names {name} twice"))
        else:
            found[name] = _Read(rest, given)
    return found


def _checked(name: str, one: _Read[str], faults: list[Fault]) -> _Read[tuple[str, ...]] | None:
    """The endpoints, if each can be one."""
    endpoints = tuple(one.value.split(","))
    shown = tuple(map(without_password, endpoints))
    faulty = [(at, fault) for at, word in enumerate(endpoints) if (fault := endpoint_fault(word))]
    wrong = [one.given.fault(f"{name}: {shown[at]!r}: {fault}") for at, fault in faulty]
    wrong += [one.given.fault(f"{name}: {shown[first]} is there twice") for _, first in duplicates(endpoints)]
    if message := name_fault(name):
        wrong.append(one.given.fault(f"the name {name!r} {message}"))
    faults += wrong
    return None if wrong else _Read(endpoints, one.given)


# --- tables of the file ------------------------------------------------------------------------------------------


def _tables(table: Given | None, faults: list[Fault]) -> dict[str, _Read[Mapping[str, object]]]:
    if table is None:
        return {}
    if not isinstance(table.value, dict):
        faults.append(table.fault("must be tables: [clusters.NAME]"))
        return {}
    found: dict[str, _Read[Mapping[str, object]]] = {}
    for name, body in table.value.items():
        given = Given(body, f"{table.place}.{name}", table.file)
        if isinstance(body, dict):
            found[name] = _Read(body, given)
            faults += [_unknown(key, given) for key in body if key not in _KEYS]
        else:
            faults.append(given.fault("must be a table with endpoints"))
    return found


def _unknown(key: str, given: Given) -> Fault:
    close = get_close_matches(key.lower().replace("-", "_"), _KEYS, n=1)
    hint = f"; did you mean {close[0]}?" if close else f": it takes {', '.join(_KEYS)}"
    return Fault(f"is no setting of a cluster{hint}", f"{given.place}.{key}", given.file)


def _endpoints_of_tables(
    tables: Mapping[str, _Read[Mapping[str, object]]], faults: list[Fault]
) -> dict[str, _Read[str]]:
    """As words have them, with commas, which stand in no URL of an engine."""
    found = {}
    for name, one in tables.items():
        endpoints = one.value.get("endpoints")
        given = Given(endpoints, f"{one.given.place}.endpoints", one.given.file)
        if isinstance(endpoints, list) and endpoints and all(isinstance(word, str) for word in endpoints):
            found[name] = _Read(",".join(endpoints), given)
        else:
            faults.append(given.fault('must be a list of URLs, as ["tcp://10.0.0.1:2376"]'))
    return found


def _files_of_tables(
    tables: Mapping[str, _Read[Mapping[str, object]]], faults: list[Fault]
) -> dict[str, _Read[TlsFiles]]:
    return {
        name: _Read(_of_table(one, faults), one.given)
        for name, one in tables.items()
        if any(key in one.value for key in _KEYS[1:])
    }


def _of_table(one: _Read[Mapping[str, object]], faults: list[Fault]) -> TlsFiles:
    folder, paths = Path(one.given.file).parent, {}
    for key in _KEYS[1:]:
        if key in one.value:
            value = one.value[key]
            given = Given(value, f"{one.given.place}.{key}", one.given.file)
            if isinstance(value, str) and value:
                paths[key] = (folder / Path(value).expanduser(), given)
            else:
                faults.append(given.fault("must be a path in quotes"))
    if "cert_path" not in paths:
        return _explicit(paths, one.given, faults)
    path, given = paths.pop("cert_path")
    faults += [other.fault("can't stand beside cert_path") for _, other in paths.values()]
    return _in_folder(path, given, faults)


# --- the files ---------------------------------------------------------------------------------------------------


def _explicit(paths: Mapping[str, tuple[Path, Given]], at: Given, faults: list[Fault]) -> TlsFiles:
    faults += [given.fault(f"there is no file {path}") for path, given in paths.values() if not _is_file(path)]
    ca, cert, key = (str(paths[name][0]) if name in paths else "" for name in _FILE_KEYS)
    if bool(cert) != bool(key):
        faults.append(at.fault("tlscert and tlskey belong together: one of them is missing"))
    return TlsFiles(ca, cert, key)


def _in_folder(folder: Path, given: Given, faults: list[Fault]) -> TlsFiles:
    """Those that are there, as docker's client takes DOCKER_CERT_PATH."""
    there = [name for name in _FOLDER_FILES if _is_file(folder / name)]
    if not there:
        faults.append(given.fault(f"{folder} holds no ca.pem, cert.pem and key.pem that can be seen"))
    elif len({"cert.pem", "key.pem"} & set(there)) == 1:
        faults.append(given.fault(f"{folder} holds one of cert.pem and key.pem; they belong together"))
    ca, cert, key = (str(folder / name) if name in there else "" for name in _FOLDER_FILES)
    return TlsFiles(ca, cert, key)


def _is_file(path: Path) -> bool:
    """False also where we may not look."""
    try:
        return path.is_file()
    except OSError:
        return False


def _tls(
    files: Mapping[str, _Read[TlsFiles]],
    named: Mapping[str, object],
    endpoints: Mapping[str, _Read[tuple[str, ...]]],
    faults: list[Fault],
) -> Iterator[ClusterTls]:
    """The files with the endpoints that they are for. A cluster whose endpoints are wrong has its own faults."""
    for name, one in files.items():
        if name not in named:
            faults.append(one.given.fault(f"there is no cluster {name}"))
        elif name in endpoints:
            spoken = tuple(word for word in endpoints[name].value if word.startswith(("tcp://", "https://")))
            if not spoken:
                faults.append(one.given.fault(f"no endpoint of {name} is tcp:// or https://: TLS files are of no use"))
            yield ClusterTls(name, one.value, spoken)


def _quarrels(tls: Sequence[ClusterTls], files: Mapping[str, _Read[TlsFiles]]) -> Iterator[Fault]:
    """An endpoint that two clusters name has one set of files."""
    first: dict[str, ClusterTls] = {}
    for one in tls:
        for endpoint in one.endpoints:
            other = first.setdefault(endpoint, one)
            if other.files != one.files:
                yield files[one.cluster].given.fault(f"{endpoint} has other TLS files in the cluster {other.cluster}")
