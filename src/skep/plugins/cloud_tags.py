"""Tags on clouds whose own are poorer than InfraKit's: `infrakit.config_sha=eZj4wR53…8C8I=` has upper case, a dot and
an equals sign, which labels may not have (infrakit-compat.md 7, 22).

All tags together are packed into labels of their own, from which they are read back as they were; beside them each is
written as far as the cloud takes it, for people to look at.
"""

import base64
import binascii
import re
from collections.abc import Mapping

import msgspec

PREFIX = "skep-tags-"
CHUNK_CHARS = 60
"""Values of labels have at most 63 characters on the clouds that forbid the most."""

_FORBIDDEN = re.compile(r"[^a-z0-9_-]")


def packed(tags: Mapping[str, str]) -> dict[str, str]:
    """Labels `skep-tags-00`, `skep-tags-01`, …: lower case letters, digits and dashes in names and values."""
    text = msgspec.json.encode(dict(sorted(tags.items())))
    code = base64.b32encode(text).decode().rstrip("=").lower()
    chunks = [code[start : start + CHUNK_CHARS] for start in range(0, len(code), CHUNK_CHARS)]
    return {f"{PREFIX}{number:02}": chunk for number, chunk in enumerate(chunks)}


def unpacked(labels: Mapping[str, str]) -> dict[str, str]:
    """The tags as they were; none where these labels hold none, or no longer all of them."""
    code = "".join(labels[name] for name in sorted(labels) if name.startswith(PREFIX)).upper()
    try:
        text = base64.b32decode(code + "=" * (-len(code) % 8))
        return msgspec.json.decode(text, type=dict[str, str])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return {}


def readable(tags: Mapping[str, str]) -> dict[str, str]:
    """Each tag as a label, what a label may not have replaced by a dash; not to be read back."""
    labels = {_plain(name): _plain(value) for name, value in tags.items()}
    return {name: value for name, value in labels.items() if name and not name.startswith(PREFIX)}


def _plain(text: str) -> str:
    """Starts with a letter or is empty, as names of labels have to."""
    return _FORBIDDEN.sub("-", text.lower()).lstrip("0123456789_-")[:63].rstrip("_-")


def labelled(tags: Mapping[str, str]) -> dict[str, str]:
    """Both, as one set of labels."""
    return readable(tags) | packed(tags)
