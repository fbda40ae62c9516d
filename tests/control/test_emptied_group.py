"""A group whose machines are only to be destroyed (infrakit-compat.md 3.7)."""

import pytest

from skep.control.emptied_group import emptied
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (
            b'{"Allocation":{"Size":5},"Instance":{"n":1e6},"Flavor":{"Plugin":"f"}}',
            b'{"Allocation":{"Size":0},"Instance":{"n":1e6},"Flavor":{"Plugin":"f"}}',
        ),
        (b'{"instance":{"n":1.50},"ALLOCATION":{"size":5}}', b'{"Instance":{"n":1.50},"Allocation":{"Size":0}}'),
        (b'{"Allocation":{"LogicalIDs":[],"Size":2}}', b'{"Allocation":{"Size":0}}'),
        (b'{"Allocation":{"LogicalIDs":null}}', b'{"Allocation":{"Size":0}}'),
        (b"{}", b'{"Allocation":{"Size":0}}'),
        (b"null", b'{"Allocation":{"Size":0}}'),
        (b'{"Allocation":{"LogicalIDs":["a"]}}', None),
        (b'{"allocation":{"logicalids":["a"]}}', None),
        (b'{"Allocation":{"LogicalIDs":7}}', None),
        (b'{"Allocation":[]}', None),
        (b"[]", None),
    ],
)
def test_all_but_its_size_is_as_it_was(written: bytes, wanted: bytes | None) -> None:
    found = emptied(CommittedGroup("g", RawJson(written)))
    assert found == (None if wanted is None else CommittedGroup("g", RawJson(wanted)))
