"""What people wrote: a file, or `-` for standard input; JSON as it is, YAML as JSON."""

# pathlib would take longer to load than all the rest.
# ruff: noqa: PTH122, PTH123

from __future__ import annotations

import os
import sys

from skep.cli.infrakit.failures import Failure
from skep.cli.infrakit.json_text import NULL, WHITE, Number, compact, members, read, string, strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

YAML = (".yaml", ".yml")


def read_document(name: str) -> str:
    """Its JSON. What looks like YAML is read as such: by its name, or because nothing else could begin like that.

    Failure: in Go's words where InfraKit would have used them.
    """
    text = _read(name).removeprefix("\ufeff")
    try:
        read(text)
        return text
    except Failure:
        suffix = os.path.splitext(name)[1].lower()
        if suffix not in YAML and (suffix == ".json" or text.strip(WHITE)[:1] in {"", "{", "["}):
            raise
        from skep.cli.infrakit.yaml_text import json_of_yaml  # noqa: PLC0415 - takes longer to load than all the rest

        found = json_of_yaml(text)
        if suffix not in YAML and found[0] not in "{[":
            raise
        return found


def _read(name: str) -> str:
    try:
        if name == "-":
            if sys.stdin is None:
                raise Failure("read /dev/stdin: bad file descriptor")
            return sys.stdin.buffer.read().decode(errors="replace")
        with open(name, "rb") as file:
            return file.read().decode(errors="replace")
    except ValueError as error:
        raise Failure(f"open {name}: invalid argument") from error
    except IsADirectoryError as error:
        raise Failure(f"read {name}: is a directory") from error
    except OSError as error:
        raise Failure(f"open {name}: {(error.strerror or str(error)).lower()}") from error


def group_spec(text: str) -> tuple[str, str]:
    """The ID of a group's spec, and the spec as it goes over the wire (infrakit-compat.md 2.4)."""
    written = _fields(text, "group.Spec")
    group = _text(written.get("id", NULL), "group.ID", "Spec.ID")
    properties = compact(written.get("properties", NULL))
    return group, f'{{"ID":{string(group)},"Properties":{properties}}}'


def instance_spec(text: str) -> str:
    """An instance's spec as it goes over the wire: no field is left out (infrakit-compat.md 2.4)."""
    written = {name: value for name, value in _fields(text, "instance.Spec").items() if value != NULL}
    parts = (
        ("Properties", compact(written.get("properties", NULL))),
        ("Tags", _tags(written["tags"]) if "tags" in written else NULL),
        ("Init", string(_text(written.get("init", NULL), "string", "Spec.Init"))),
        ("LogicalID", _logical(written["logicalid"]) if "logicalid" in written else NULL),
        ("Attachments", _attachments(written["attachments"]) if "attachments" in written else NULL),
    )
    return f"{{{','.join(f'{string(name)}:{value}' for name, value in parts)}}}"


def _logical(raw: str) -> str:
    return string(_text(raw, "instance.LogicalID", "Spec.LogicalID"))


def _tags(raw: str) -> str:
    given = read(raw)
    if not isinstance(given, dict):
        raise _mismatch(given, "map[string]string", "Spec.Tags")
    return strings({name: _text_of(value, "string", "Spec.Tags") for name, value in given.items()})


def _attachments(raw: str) -> str:
    given = read(raw)
    if not isinstance(given, list):
        raise _mismatch(given, "[]instance.Attachment", "Spec.Attachments")
    return f"[{','.join(map(_attachment, given))}]"


def _attachment(given: Any) -> str:
    if not isinstance(given, dict):
        raise _mismatch(given, "instance.Attachment", "Spec.Attachments")
    folded = {name.lower(): value for name, value in given.items()}
    texts = {name: _text_of(folded.get(name.lower()), "string", f"Attachment.{name}") for name in ("ID", "Type")}
    return strings(texts)


def _fields(text: str, kind: str) -> dict[str, str]:
    value = read(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Failure(f"json: cannot unmarshal {_kind(value)} into Go value of type {kind}")
    return members(text)


def _text(raw: str, kind: str, field: str) -> str:
    return _text_of(read(raw), kind, field)


def _text_of(value: Any, kind: str, field: str) -> str:
    """Absent and null are empty, as in Go."""
    if value is not None and (not isinstance(value, str) or isinstance(value, Number)):
        raise _mismatch(value, kind, field)
    return value or ""


def _mismatch(value: Any, kind: str, field: str) -> Failure:
    return Failure(f"json: cannot unmarshal {_kind(value)} into Go struct field {field} of type {kind}")


def _kind(value: Any) -> str:
    if isinstance(value, Number):
        return "number"
    if isinstance(value, bool):
        return "bool"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "string"
