"""The document of a manager: read as InfraKit writes it, and written so that InfraKit reads it
(infrakit-compat.md 3.9)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.adapters.group_store_document import read_document, written_document
from skep.model.errors import InvalidError
from skep.model.group_document import GroupDocument
from skep.model.json import NULL, RawJson
from skep.model.machine import CommittedGroup
from skep.wire.go_decode import written

CATTLE = b"""{
    "Groups": {
      "cattle": {
        "Plugin": "group-stateless",
        "Properties": {
          "ID": "cattle",
          "Properties": {
            "Allocation": {
              "Size": 5
            },
            "Instance": {
              "Plugin": "instance-file",
              "Properties": {
                "big": 12345678901234567890,
                "html": "\\u003c\\u0026\\u003e",
                "n": 1e6
              }
            },
            "Flavor": {
              "Plugin": "flavor-vanilla",
              "Properties": null
            }
          }
        }
      }
    }
  }"""
"""As `json.MarshalIndent(v, "  ", "  ")` prints it."""


def test_what_infrakit_wrote_is_read_as_it_was_committed() -> None:
    stored = read_document(CATTLE, "global.config").groups["cattle"]
    assert stored.plugin == "group-stateless"
    assert stored.group.id == "cattle"
    properties = json.loads(stored.group.properties)
    assert properties["Allocation"] == {"Size": 5}
    assert b"12345678901234567890" in stored.group.properties
    assert b"1e6" in stored.group.properties


def test_what_is_written_has_infrakits_names() -> None:
    group = CommittedGroup("cattle", RawJson(b'{"Allocation": {"Size":5},"n":1e6, "big":12345678901234567890}'))
    text = written_document(GroupDocument().committed(group, "group-stateless"))
    spec = {"ID": "cattle", "Properties": {"Allocation": {"Size": 5}, "n": 1e6, "big": 12345678901234567890}}
    assert json.loads(text) == {"Groups": {"cattle": {"Plugin": "group-stateless", "Properties": spec}}}
    assert b"1e6" in text
    assert b"12345678901234567890" in text


def test_a_group_that_is_being_destroyed_is_none_of_infrakits_groups() -> None:
    """M3: InfraKit's manager commits what stands under Groups, and passes over what it does not know."""
    document = read_document(CATTLE, "x").doomed("cattle")
    text = written_document(document)
    assert json.loads(text)["Groups"] == {}
    again = read_document(text, "x")
    assert not again.groups
    assert again.destroying["cattle"].group.id == "cattle"
    assert json.loads(written_document(again.without("cattle"))) == {"Groups": {}}


@pytest.mark.parametrize("text", [b"{}", b"null", b'{"Groups":null}', b'{"groups":{}}', b' {"Other":[]} '])
def test_no_groups(text: bytes) -> None:
    document = read_document(text, "x")
    assert not document.groups
    assert not document.destroying


def test_keys_are_read_whatever_their_case() -> None:
    """infrakit-compat.md 1.3."""
    document = read_document(b'{"GROUPS":{"Web":{"plugin":"g","PROPERTIES":{"id":"Web","properties":[1]}}}}', "x")
    assert document.groups["Web"].plugin == "g"
    assert document.groups["Web"].group == CommittedGroup("Web", RawJson(b"[1]"))


def test_keys_of_others_are_kept() -> None:
    text = b'{"Groups":{"a":{"Plugin":"g","Properties":{"ID":"a","Properties":{}},"Note":1.50}},"Version":[1e2]}'
    changed = read_document(text, "x").committed(CommittedGroup("a", RawJson(b'{"n":2}')), "h")
    written = written_document(changed.committed(CommittedGroup("b"), "h"))
    assert json.loads(written) == {
        "Groups": {
            "a": {"Plugin": "h", "Properties": {"ID": "a", "Properties": {"n": 2}}, "Note": 1.5},
            "b": {"Plugin": "h", "Properties": {"ID": "b", "Properties": None}},
        },
        "Version": [100.0],
    }
    assert b"1.50" in written
    assert b"1e2" in written


@pytest.mark.parametrize("entry", ["5", '"x"', "[]", '{"Properties":7}', '{"Plugin":{}}', "null", "{}"])
def test_a_group_that_makes_no_sense_harms_no_other_and_is_kept(entry: str) -> None:
    """M2: whoever commits it is refused by the group plugin."""
    text = f'{{"Groups":{{"bad":{entry},"good":{{"Properties":{{"ID":"good","Properties":{{"n":1}}}}}}}}}}'.encode()
    document = read_document(text, "x")
    assert document.groups["good"].group == CommittedGroup("good", RawJson(b'{"n":1}'))
    assert document.groups["bad"].group == CommittedGroup("bad", NULL)
    kept = json.loads(written_document(document.without("good")))["Groups"]["bad"]
    assert kept == json.loads(entry)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'"x"', b'{"Groups":[]}', b'{"Groups":{"a":}}', b"\xff\xfe", b"{}x"]
)
def test_what_is_no_document_is_refused_and_not_shown(text: bytes) -> None:
    with pytest.raises(InvalidError, match=r"^global\.config holds no document of groups: .*; mend it, or remove it"):
        read_document(text, "global.config")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _others(*ours: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.text(max_size=8).filter(lambda key: key.lower() not in ours), JSON, max_size=3)


@given(
    _others("groups", "destroying"), st.dictionaries(st.text(max_size=8), JSON, max_size=4), st.text(max_size=8), JSON
)
def test_what_is_read_and_not_changed_is_written_as_it_was(
    other: dict[str, Any], groups: dict[str, Any], new: str, properties: Any
) -> None:
    sent = {**other, "Groups": groups}
    document = read_document(json.dumps(sent).encode(), "x")
    assert json.loads(written_document(document)) == sent
    after = document.committed(CommittedGroup(new, RawJson(json.dumps(properties).encode())), "g")
    read = json.loads(written_document(after))
    assert {key: value for key, value in read.items() if key != "Groups"} == other
    assert {id: entry for id, entry in read["Groups"].items() if id != new} == {
        id: entry for id, entry in groups.items() if id != new
    }
    assert read["Groups"][new]["Properties"] == {"ID": new, "Properties": properties}
    again = read_document(written_document(after), "x")
    assert json.loads(again.groups[new].group.properties) == properties
    # What a manager compares, to see whether what is stored is what it committed.
    assert written(again.groups[new].group.properties) == written(after.groups[new].group.properties)
