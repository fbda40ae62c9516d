"""The document of a manager as InfraKit's managers write it (infrakit-compat.md 3.9), and back.

Groups that are being destroyed stand under `Destroying`, which InfraKit's own managers pass over: none of them brings
such a group back.
"""

from collections.abc import Mapping

import msgspec

from skep.model.errors import Fault, InvalidError
from skep.model.group_document import NO_KEYS, GroupDocument, StoredGroup
from skep.model.json import NULL, RawJson
from skep.model.machine import CommittedGroup

_Keys = dict[str, RawJson]


def read_document(text: bytes, place: str) -> GroupDocument:
    """The document in `text`; InvalidError names the `place` that it was read from, and tells nothing that is in it.

    Keys are read as Go reads them, whatever their case. A group that makes no sense is kept as it is, with nothing for
    its properties: whoever commits it is told so, and no other group suffers.
    """
    try:
        known, other = _split(text, "Groups", "Destroying")
        groups, destroying = (_keys(known[name]) for name in ("Groups", "Destroying"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"holds no document of groups: {error or 'it is empty'}; mend it, or remove it to begin with none"
        raise InvalidError([Fault(f"{place} {message}")]) from error
    return GroupDocument(_groups(groups), _groups(destroying), other)


def written_document(document: GroupDocument) -> bytes:
    """As JSON on several lines, numbers and keys of groups as they were written."""
    keys = {**document.other, "Groups": _entries(document.groups)}
    if document.destroying:
        keys["Destroying"] = _entries(document.destroying)
    return msgspec.json.format(_encoded(keys), indent=2)


def _groups(entries: Mapping[str, RawJson]) -> Mapping[str, StoredGroup]:
    return {id: _stored(id, entry) for id, entry in entries.items()}


def _stored(id: str, entry: RawJson) -> StoredGroup:
    """The key is the ID: InfraKit writes the same in the properties."""
    try:
        known, other = _split(entry, "Plugin", "Properties")
        spec, _ = _split(known["Properties"], "ID", "Properties")
        plugin = msgspec.json.decode(known["Plugin"], type=str | None) or ""
    except msgspec.DecodeError:
        return StoredGroup(CommittedGroup(id), written=entry)
    return StoredGroup(CommittedGroup(id, spec["Properties"]), plugin, other, entry)


def _entries(groups: Mapping[str, StoredGroup]) -> RawJson:
    return _encoded({id: _entry(stored) for id, stored in groups.items()})


def _entry(stored: StoredGroup) -> RawJson:
    if stored.written:
        return RawJson(stored.written)
    spec = _encoded({"ID": _encoded(stored.group.id), "Properties": stored.group.properties})
    return _encoded({"Plugin": _encoded(stored.plugin), "Properties": spec, **stored.other})


def _split(text: bytes, *names: str) -> tuple[_Keys, _Keys]:
    """The values of `names`, null for those that are not there, and all other keys."""
    wanted = {name.lower(): name for name in names}
    known, other = dict.fromkeys(names, NULL), {}
    for key, value in _keys(text).items():
        if key.lower() in wanted:
            known[wanted[key.lower()]] = value
        else:
            other[key] = value
    return known, other or dict(NO_KEYS)


def _keys(text: bytes) -> _Keys:
    """An object's values as they were written; null has none."""
    found = msgspec.json.decode(text, type=dict[str, msgspec.Raw] | None) or {}
    return {key: RawJson(bytes(value)) for key, value in found.items()}


def _encoded(value: object) -> RawJson:
    """`value` is text, or keys with JSON for their values."""
    raw = {key: msgspec.Raw(text) for key, text in value.items()} if isinstance(value, dict) else value
    return RawJson(msgspec.json.encode(raw))
