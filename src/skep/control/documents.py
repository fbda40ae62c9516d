"""What is kept in the store, and how it is written down. Every document has a format (architecture.md).

Times on the planner's clock are monotonic; they are written as wall time and come back as what is left of them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from skep.model.adopted import AdoptedContainers
from skep.model.errors import BugError, RefusedError
from skep.model.spec import Key, Spec
from skep.model.state import ClusterState, Event, Failure, Record, Revision
from skep.specs.canonical import from_json

FORMAT = 1
TEXTS_MAX = 32_768
"""Texts of specs whose meaning is remembered: those of 10,000 keys (the scale that this is measured at), and a few
revisions of each."""

RECORD_BYTES_MAX = 512 * 1024
"""A record holds only what can't be observed again; a larger one is a bug. The largest that may be are those of a
workload whose containers have all ended at once, a count of 200 bytes for each of `planning.restarts.COUNTS_MAX` slots
and 150 for each of `planning.setbacks.SOURCES_MAX` engines, and of a group with 500 actions in flight (semantics.md
W8): 280 KB, and 300 KB where slots have the longest names."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pause:
    """Who stopped the roll-outs of a key, when (wall time) and why (semantics.md W49).

    Specs as canonical text, kept here since the history forgets: `begun`, the last that was being rolled out then, and
    `settled`, the last that all members followed. `automatic`: skep did, since that roll-out had failed, and a newer
    generation ends it (W47).
    """

    who: str
    when_s: float
    why: str
    begun: bytes
    settled: bytes
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class SpecDocument:
    """The accepted spec of a key. `uid` differs for every life of a name (semantics.md W22).

    `history` is newest first and begins with what is wanted now; control/retention.py says what is kept of it. `adopt`
    and `cascade` are the user's word with it.
    `lives`: uids of lives whose removal was not over when the name was taken again, newest first.
    `paused`: newer templates wait until it is resumed; None while they are rolled out.
    `resolve`: the newest generation that asked to look again at what the image's tag names (W40), 0 if none did.
    """

    key: Key
    uid: str
    generation: int
    removed: bool
    spec: bytes
    history: tuple[Revision, ...]
    adopt: bool = False
    lives: tuple[str, ...] = ()
    paused: Pause | None = None
    resolve: int = 0


@dataclass(frozen=True, slots=True)
class Followed:
    """What a record says of revisions (model.state.Record); the rest of it is not read for that."""

    begun: int = 0
    settled: int = 0


@dataclass(frozen=True, slots=True)
class _Stored:
    format: int
    body: msgspec.Raw


@lru_cache(maxsize=TEXTS_MAX)
def spec_of(document: bytes) -> Spec:
    """The spec that canonical text says. Every turn asks for that of its key, and it seldom changes."""
    return from_json(document)


def spec_path(key: Key) -> str:
    """Where the accepted spec of a key is kept."""
    return f"spec/{key}"


def freed_path(key: Key) -> str:
    """Where the spec of a key that was freed is kept until it is applied again."""
    return f"freed/{key}"


def record_path(key: Key) -> str:
    """Where the record of a key is kept."""
    return f"record/{key}"


def adopted_path(key: Key) -> str:
    """Where it is kept which containers without labels of ours are a workload's; also while it is freed."""
    return f"adopted/{key}"


def cluster_path(name: str) -> str:
    """Where what is known of a cluster is kept."""
    return f"cluster/{name}"


def event_path(seq: int) -> str:
    """Where an event is kept; the paths sort as the numbers do."""
    return f"event/{seq:020d}"


def encode(document: SpecDocument | AdoptedContainers | ClusterState | Event) -> bytes:
    """The bytes that `decode` reads."""
    return _encode(document)


def decode(kind: type[T], value: bytes) -> T:
    """The document, or RefusedError for one that a newer skep wrote."""
    stored = msgspec.json.decode(value, type=_Stored)
    if stored.format != FORMAT:
        raise RefusedError(
            f"the store holds a document of format {stored.format}, and this skep knows format {FORMAT}: "
            "run the skep that wrote it, or a newer one"
        )
    return msgspec.json.decode(stored.body, type=kind)


def encode_record(record: Record, monotonic_s: float, wall_s: float) -> bytes:
    """The bytes that `decode_record` reads; BugError for a record that has grown beyond its limit."""
    value = _encode(_shifted(record, wall_s - monotonic_s))
    if len(value) > RECORD_BYTES_MAX:
        raise BugError(f"the record of {record.key} has {len(value)} bytes, more than {RECORD_BYTES_MAX}")
    return value


def decode_record(value: bytes, monotonic_s: float, wall_s: float, cap_s: float) -> Record:
    """`cap_s` bounds what is left of any back-off, whatever the wall clock did meanwhile."""
    record = decode(Record, value)
    bounded = _mapped(record, lambda f: replace(f, retry_s=min(f.retry_s, wall_s + cap_s)))
    return _shifted(bounded, monotonic_s - wall_s, now_s=monotonic_s)


def _shifted(record: Record, by_s: float, now_s: float = math.inf) -> Record:
    """Nothing failed and no progress was made later than `now_s`, whatever the wall clock did meanwhile."""
    ledger = _mapped(record, lambda f: replace(f, retry_s=f.retry_s + by_s)).ledger
    setbacks = tuple(replace(s, at_s=tuple(min(now_s, at_s + by_s) for at_s in s.at_s)) for s in ledger.setbacks)
    progress = ledger.progress
    if progress is not None:
        progress = replace(progress, since_s=min(now_s, progress.since_s + by_s))
    return replace(record, ledger=replace(ledger, setbacks=setbacks, progress=progress))


def _mapped(record: Record, change: Callable[[Failure], Failure]) -> Record:
    failures = tuple(change(f) for f in record.ledger.failures)
    return replace(record, ledger=replace(record.ledger, failures=failures))


def _encode(document: Any) -> bytes:
    body = msgspec.Raw(msgspec.json.encode(document))
    return msgspec.json.encode(_Stored(FORMAT, body))
