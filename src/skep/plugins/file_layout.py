"""A machine of the plugin `file` as text, byte for byte as InfraKit writes it (infrakit-compat.md 5.2), and back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import msgspec

from skep.model.errors import InvalidError
from skep.model.go_json import go_escape, go_string
from skep.model.json import RawJson
from skep.model.machine import Attachment, InstanceSpec
from skep.specs.json_text import read_json
from skep.specs.properties import Properties, RawProperties, read

_HTML = re.compile("[<>&\u2028\u2029]")

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_STEP = "  "
_DEEPER = ("\n  ", "\n    ", "\n      ")
"""Line breaks with Go's prefix, and what stands before the closing brace of each level."""


class _Kept(Properties):
    """Whatever was written: it means nothing to this plugin, and is kept for who reads the file."""

    properties: RawProperties = "null"


class _File(msgspec.Struct):
    """What a description is made of; all else in the file is passed over."""

    tags: dict[str, str] | None = msgspec.field(name="Tags", default=None)
    logical_id: str | None = msgspec.field(name="LogicalID", default=None)


def kept(properties: RawJson) -> str:
    """The properties as they go into the file: spelled as written, white space left out. InvalidError for no JSON.

    A key may be there twice, as in Go (infrakit-compat.md 1.3): specs in which one is are refused before they get here.
    """
    if faults := read_json(properties.decode(errors="surrogateescape")).faults:
        raise InvalidError([replace(fault, line=0) for fault in faults])  # what ends too soon could pass below
    return read(RawJson(b'{"Properties":' + properties + b"}"), _Kept, lenient=True).properties


def encoded(name: str, spec: InstanceSpec, properties: str) -> str:
    """What Go's `json.MarshalIndent(v, "  ", "  ")` prints of ID, LogicalID, Tags and Spec."""
    logical_id = "null" if spec.logical_id is None else go_string(spec.logical_id)
    inner = {
        "Properties": _laid_out(properties, _DEEPER[2]),
        "Tags": _tags(spec.tags, _DEEPER[2]),
        "Init": go_string(spec.init),
        "LogicalID": logical_id,
        "Attachments": _attachments(spec.attachments, _DEEPER[2]),
    }
    outer = {
        "ID": go_string(name),
        "LogicalID": logical_id,
        "Tags": _tags(spec.tags, _DEEPER[1]),
        "Spec": _object(inner, _DEEPER[1]),
    }
    return _object(outer, _DEEPER[0])


def decoded(text: bytes) -> tuple[Mapping[str, str], str | None]:
    """Tags and logical ID; ValueError for what is no machine."""
    try:
        file = msgspec.json.decode(text, type=_File)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
    return file.tags or {}, file.logical_id


def _object(fields: Mapping[str, str], newline: str) -> str:
    return _wrapped("{", [f'"{name}": {value}' for name, value in fields.items()], "}", newline)


def _wrapped(opening: str, parts: Sequence[str], closing: str, newline: str) -> str:
    inner = newline + _STEP
    return f"{opening}{inner}{f',{inner}'.join(parts)}{newline}{closing}"


def _tags(tags: Mapping[str, str], newline: str) -> str:
    """In byte order of their names; null for none, as Go writes a map that was never made."""
    names = sorted(tags, key=lambda name: name.encode(errors="replace"))
    return _object({go_string(name)[1:-1]: go_string(tags[name]) for name in names}, newline) if tags else "null"


def _attachments(attachments: tuple[Attachment, ...], newline: str) -> str:
    items = [_object({"ID": go_string(a.id), "Type": go_string(a.type)}, newline + _STEP) for a in attachments]
    return _wrapped("[", items, "]", newline) if attachments else "null"


@lru_cache(maxsize=256)
def _laid_out(text: str, newline: str) -> str:
    """JSON that somebody wrote, over several lines; empty objects and lists stay on one."""
    parts: list[str] = []
    opened = False
    for token in _TOKEN.findall(_HTML.sub(go_escape, text)):
        if token in "}]":
            newline = newline[: -len(_STEP)]
            parts.append(token if opened else newline + token)
            opened = False
            continue
        if opened:
            parts.append(newline)
        opened = token in "{["
        if opened:
            newline += _STEP
        parts.append({",": f",{newline}", ":": ": "}.get(token, token))
    return "".join(parts)
