"""A machine as a Terraform resource: the text of its file and back, and what it is in the state. Pure.

The layout is InfraKit's, `{"resource":{TYPE:{NAME:VALUE}}}` (infrakit-compat.md 5.3). Tags and logical ID stand in a
comment of the same file as well (`//`, which Terraform passes over), as they are: clouds change what they forbid.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from skep.model.errors import RejectedError
from skep.model.machine import InstanceSpec
from skep.plugins.cloud_tags import labelled, readable, unpacked

LOGICAL_ID_TAG, NAME_TAG, GROUP_TAG = "LogicalID", "Name", "infrakit.group"

Fields = dict[str, msgspec.Raw]
"""An object whose values stay as they were written."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The properties, parsed: what kind of resource, and what it is told."""

    type: str
    value: Mapping[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Machine:
    """A resource that is a machine of this plugin."""

    name: str
    type: str
    tags: Mapping[str, str]
    logical_id: str | None = None

    @property
    def address(self) -> str:
        """How Terraform calls it."""
        return f"{self.type}.{self.name}"


class _Note(msgspec.Struct):
    tags: dict[str, str] = msgspec.field(name="Tags", default_factory=dict)
    logical_id: str | None = msgspec.field(name="LogicalID", default=None)


class _Comment(msgspec.Struct):
    skep: _Note | None = None


class _File(msgspec.Struct):
    resource: dict[str, dict[str, dict[str, msgspec.Raw]]]
    comment: msgspec.Raw = msgspec.field(name="//", default=msgspec.Raw(b"null"))


# --- how kinds of resources take tags ---------------------------------------------------------------------------


def _map(given: Mapping[str, str], tags: Mapping[str, str]) -> object:
    return {**given, **tags}


def _pairs(given: Mapping[str, str], tags: Mapping[str, str]) -> object:
    """`name:value`, as InfraKit writes them for SoftLayer."""
    return [f"{name}:{value}" if value else name for name, value in {**given, **tags}.items()]


def _labels(given: Mapping[str, str], tags: Mapping[str, str]) -> object:
    return {**given, **labelled(tags)}


def _label_pairs(given: Mapping[str, str], tags: Mapping[str, str]) -> object:
    return _pairs({**given, **labelled(tags)}, {})


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a kind of resource takes tags and Init: paths of names. `is_base64`: the provider wants Init so.

    `packs`: tags can't be written as they are, and are read back from what they were packed into.
    """

    tags: tuple[str, ...]
    init: tuple[str, ...]
    write: Callable[[Mapping[str, str], Mapping[str, str]], object] = _map
    packs: bool = False
    is_base64: bool = False
    hostname: bool = False


_SOFTLAYER = Kind(("tags",), ("user_metadata",), _pairs, hostname=True)

KINDS: Mapping[str, Kind] = {
    "aws_instance": Kind(("tags",), ("user_data",)),
    "azurerm_linux_virtual_machine": Kind(("tags",), ("custom_data",), is_base64=True),
    "azurerm_virtual_machine": Kind(("tags",), ("os_profile", "custom_data")),
    "digitalocean_droplet": Kind(("tags",), ("user_data",), _label_pairs, packs=True),
    "google_compute_instance": Kind(("labels",), ("metadata_startup_script",), _labels, packs=True),
    "hcloud_server": Kind(("labels",), ("user_data",), _labels, packs=True),
    "ibm_compute_vm_instance": _SOFTLAYER,
    "openstack_compute_instance_v2": Kind(("metadata",), ("user_data",)),
    "softlayer_virtual_guest": _SOFTLAYER,
    "terraform_data": Kind(("input", "tags"), ("input", "init")),
}
"""What providers of today take. InfraKit wrote a map of tags for DigitalOcean and Google too, which they refuse."""


# --- a machine to text -------------------------------------------------------------------------------------------


def encoded(name: str, wanted: Wanted, spec: InstanceSpec) -> bytes:
    """The file of a machine. RejectedError where Init or tags have no place in what the user wrote."""
    kind, value = KINDS.get(wanted.type), dict(wanted.value)
    tags = _all_tags(name, spec)
    if kind is not None:
        _put_tags(value, kind, tags)
        _put_init(value, kind, spec.init)
        if kind.hostname:
            value["hostname"] = _raw(name)
    elif spec.init:
        kinds = ", ".join(KINDS)
        raise RejectedError(f"resource type {wanted.type}: its Init can't be handed over; types that take one: {kinds}")
    note = {"skep": {"Tags": dict(spec.tags), "LogicalID": spec.logical_id}}
    return msgspec.json.encode({"//": note, "resource": {wanted.type: {name: value}}})


def _all_tags(name: str, spec: InstanceSpec) -> dict[str, str]:
    """With the two that InfraKit adds: a name, which the user's wins over, and the logical ID."""
    tags = {NAME_TAG: name, **spec.tags}
    return tags if spec.logical_id is None else {**tags, LOGICAL_ID_TAG: spec.logical_id}


def _put_tags(value: Fields, kind: Kind, tags: Mapping[str, str]) -> None:
    """A map that the user wrote as `tags` is merged, whatever the provider takes: InfraKit's specs have one."""
    given = _given_tags(_get(value, kind.tags), kind)
    if kind.tags == ("labels",) and _is_object(value.get("tags")):
        given |= readable(_given_tags(value.pop("tags"), kind))
    safe = tags if kind.packs else {_plain(name): _plain(text) for name, text in tags.items()}
    _set(value, kind.tags, lambda _: _raw(kind.write(given, safe)))


def _given_tags(raw: msgspec.Raw | None, kind: Kind) -> dict[str, str]:
    """What the user wrote there; RejectedError for what tags can't be added to, such as an expression."""
    if raw is None or bytes(raw).strip() == b"null":
        return {}
    try:
        given = msgspec.json.decode(raw, type=dict[str, str | int | float | bool] | list[str])
    except msgspec.DecodeError as error:
        raise RejectedError(f"tags can't be added to {'.'.join(kind.tags)}: that is no map or list of texts") from error
    if isinstance(given, list):
        return _parted(given)
    return {name: text if isinstance(text, str) else str(text).lower() for name, text in given.items()}


def _put_init(value: Fields, kind: Kind, init: str) -> None:
    """After what the user wrote there, on a line of its own."""
    if not init:
        return

    def joined(before: msgspec.Raw | None) -> msgspec.Raw:
        text = msgspec.json.decode(before, type=str | None) if before is not None else None
        if not kind.is_base64:
            return _raw(f"{text}\n{_plain(init)}" if text else _plain(init))
        first = base64.b64decode(text) + b"\n" if text else b""
        return _raw(base64.b64encode(first + init.encode()).decode())

    try:
        _set(value, kind.init, joined)
    except (msgspec.DecodeError, ValueError) as error:
        raise RejectedError(
            f"Init can't be added to {'.'.join(kind.init)}: that is no text in the properties"
        ) from error


def _plain(text: str) -> str:
    """Text that Terraform takes as it is, and not for a template."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def _is_object(raw: msgspec.Raw | None) -> bool:
    return raw is not None and bytes(raw).lstrip().startswith(b"{")


def _get(value: Mapping[str, msgspec.Raw], path: tuple[str, ...]) -> msgspec.Raw | None:
    raw = value.get(path[0])
    if len(path) == 1 or not _is_object(raw):
        return raw if len(path) == 1 else None
    assert raw is not None
    return _get(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]), path[1:])


def _set(value: Fields, path: tuple[str, ...], change: Callable[[msgspec.Raw | None], msgspec.Raw]) -> None:
    """Change what stands at the path; objects on the way are made. A block may be a list of one object."""
    name, raw = path[0], value.get(path[0])
    if len(path) == 1:
        value[name] = change(raw)
        return
    is_list = raw is not None and bytes(raw).lstrip().startswith(b"[")
    try:
        [inner] = msgspec.json.decode(raw, type=list[Fields]) if raw is not None and is_list else [_fields(raw)]
    except (msgspec.DecodeError, ValueError) as error:
        raise RejectedError(f"{name} in the properties has to be an object, for tags and Init go into it") from error
    _set(inner, path[1:], change)
    value[name] = _raw([inner] if is_list else inner)


def _fields(raw: msgspec.Raw | None) -> Fields:
    return msgspec.json.decode(raw, type=Fields) if raw is not None else {}


# --- text to a machine -------------------------------------------------------------------------------------------


def decoded(name: str, text: bytes) -> Machine:
    """The machine of a file, ours or InfraKit's; ValueError for what is none."""
    try:
        file = msgspec.json.decode(text, type=_File)
        comment = msgspec.convert(msgspec.json.decode(file.comment), _Comment) if _is_object(file.comment) else None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ValueError(str(error)) from error
    found = [(type, resources[name]) for type, resources in file.resource.items() if name in resources]
    if len(found) != 1 or sum(map(len, file.resource.values())) != 1:
        raise ValueError(f"it does not hold the one resource {name}")
    [(type, value)] = found
    if comment is not None and comment.skep is not None:
        return Machine(name, type, comment.skep.tags, comment.skep.logical_id)
    path = KINDS[type].tags if type in KINDS else ("tags",)
    tags = _tags_in(value.get("tags")) or _tags_in(_get(value, path))
    return Machine(name, type, tags, tags.get(LOGICAL_ID_TAG))


def init_in(machine: Machine, text: bytes) -> str:
    """What the machine of a file is told to run, behind what the user wrote there; empty where that is unknown."""
    kind = KINDS.get(machine.type)
    if kind is None:
        return ""
    try:
        value = msgspec.json.decode(text, type=_File).resource[machine.type][machine.name]
        raw = _get(value, kind.init)
        init = msgspec.json.decode(raw, type=str | None) if raw is not None else None
        return base64.b64decode(init or "").decode() if kind.is_base64 else _unescaped(init or "")
    except (msgspec.DecodeError, KeyError, ValueError):
        return ""


def _unescaped(text: str) -> str:
    return text.replace("$${", "${").replace("%%{", "%{")


def of_state(type: str, name: str, attributes: Mapping[str, msgspec.Raw]) -> Machine | None:
    """The machine that a resource in the state is by its tags; None where it tells no group.

    So a state that several hosts share is enough to find machines whose files lie on another one (infrakit-compat.md
    7, 20).
    """
    kind = KINDS.get(type)
    if kind is None:
        return None
    path = ("input", "value", "tags") if kind.tags == ("input", "tags") else kind.tags
    written = _tags_in(_get(attributes, path))
    tags = unpacked(written) if kind.packs else written
    if GROUP_TAG not in tags:
        return None
    logical_id = tags.pop(LOGICAL_ID_TAG, None)
    if tags.get(NAME_TAG) == name:
        del tags[NAME_TAG]
    return Machine(name, type, tags, logical_id)


def _tags_in(raw: msgspec.Raw | None) -> dict[str, str]:
    """Of a map, or of a list of `name:value`; none in anything else."""
    try:
        value = msgspec.json.decode(raw, type=dict[str, str] | list[str] | None) if raw is not None else None
    except msgspec.DecodeError:
        return {}
    return _parted(value) if isinstance(value, list) else value or {}


def _parted(pairs: list[str]) -> dict[str, str]:
    return {name: text for name, _, text in (pair.partition(":") for pair in pairs)}
