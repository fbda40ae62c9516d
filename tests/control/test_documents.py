"""Documents in the store: there and back, and none of a newer skep."""

from dataclasses import replace

import msgspec
import pytest

from skep.control.documents import RECORD_BYTES_MAX, SpecDocument, decode, decode_record, encode, encode_record
from skep.model.errors import RefusedError
from skep.model.plan import ActionKind
from skep.model.setbacks import Setbacks
from skep.model.state import ClusterManager, ClusterState, Event, Failure, Record, Revision
from skep.planning.restarts import COUNTS_MAX
from skep.planning.setbacks import SOURCES_MAX
from tests.control.values import WEB, WORKERS, creation, failure, ledger

DOCUMENTS = (
    SpecDocument(WEB, "u1", 2, False, b'{"Name":"web"}', (Revision(2, "uid 0", 1.5, b"{}"),), adopt=True),
    ClusterState("managers", "id", "10.0.0.1", (ClusterManager("10.0.0.1", "unix:///x"),)),
    Event(7, 1.5, "workload/web", "Created", "generation 1"),
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: type(d).__name__)
def test_a_document_comes_back_as_it_was(document: SpecDocument | ClusterState | Event) -> None:
    assert decode(type(document), encode(document)) == document


def test_a_record_comes_back_as_it_was() -> None:
    ended = Failure("2", ActionKind.START, 3, 40.0, "exited with code 137", counted="c0ffee")
    books = replace(ledger(creation("r1", "a", source="box"), failures=(failure(), ended)), applied="f1", streak=7)
    books = replace(books, setbacks=(Setbacks("box", (3.0, 9.5)),))
    record = Record(WORKERS, 3, (), books, "i@sha256:1", "i", "engine")
    assert decode_record(encode_record(record, 10.0, 1000.0), 10.0, 1000.0, 300.0) == record


@pytest.mark.parametrize(
    ("away_s", "at_s"), [(10.0, (-19.0, -12.5)), (-12.0, (3.0, 7.0))], ids=["ten seconds passed", "it was set back"]
)
def test_w34_when_members_failed_survives_the_end_of_skep(away_s: float, at_s: tuple[float, float]) -> None:
    """Whatever the wall clock did meanwhile, none fails in the future."""
    record = Record(WEB, ledger=replace(ledger(), setbacks=(Setbacks("box", (4.0, 10.5)),)))
    again = decode_record(encode_record(record, 20.0, 5000.0), 7.0, 5000.0 + away_s, 300.0)
    assert again.ledger.setbacks == (Setbacks("box", at_s),)


def test_the_largest_record_of_a_workload_fits() -> None:
    """All containers ended at once, and as many as may be are being made anew."""
    ends = tuple(
        Failure(str(n), ActionKind.START, 17, 1234567.123456, "exited with code 137", f"{n:064x}")
        for n in range(COUNTS_MAX)
    )
    entries = tuple(creation(f"{n:016x}", str(n), f"{n:064x}", source="10.20.0.10:2376") for n in range(100))
    setbacks = tuple(Setbacks(f"10.20.10.{n}:2376", (1234567.123456,) * 5) for n in range(SOURCES_MAX))
    books = replace(ledger(*entries, failures=ends), streak=7, setbacks=setbacks)
    assert len(encode_record(Record(WEB, 3, (), books, "i@sha256:1", "i", "engine"), 10.0, 1000.0)) < RECORD_BYTES_MAX


def test_a_revision_that_was_stored_before_reasons_were_kept_has_none() -> None:
    """The format is the same: what is not there is empty."""
    kept = encode(DOCUMENTS[0])
    older = kept.replace(b',"why":""', b"")
    assert older != kept
    assert decode(SpecDocument, older) == DOCUMENTS[0]


def test_a_document_of_a_newer_skep_is_refused() -> None:
    newer = msgspec.json.encode({"format": 2, "body": {"whatever": True}})
    with pytest.raises(RefusedError, match="format 2, and this skep knows format 1"):
        decode(ClusterState, newer)
