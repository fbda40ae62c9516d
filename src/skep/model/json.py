"""JSON as values, and JSON as the text that somebody wrote."""

from collections.abc import Mapping, Sequence
from typing import NewType

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
JsonObject = Mapping[str, Json]

RawJson = NewType("RawJson", bytes)
"""One JSON value as UTF-8 text without white space around it, its numbers and its key order as written."""

NULL = RawJson(b"null")
