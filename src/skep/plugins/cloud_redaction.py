"""Texts of clouds and their programs, without what a machine was given in secret."""

import base64
import re
from collections.abc import Iterable

WORD_CHARS_MIN = 12
"""Shorter words of a script are commands and options; tokens and passwords worth the name are longer."""
LINE_CHARS_MIN = 6

_TOKEN = re.compile(r"SWMTKN-[\w.-]+")
_WORD = re.compile(r"[^\s'\"=,;()<>|&]+")
HIDDEN = "[hidden]"


def redacted(text: str, inits: Iterable[str], secrets: Iterable[str] = ()) -> str:
    """The text without join tokens, without lines and long words of the scripts, and without the secrets."""
    hidden = {secret for secret in secrets if secret}
    for init in inits:
        hidden |= _parts(init)
    for part in sorted(hidden, key=len, reverse=True):  # a line before the words in it
        text = text.replace(part, HIDDEN)
    return _TOKEN.sub("SWMTKN-…", text)


def _parts(init: str) -> set[str]:
    """What of a script may show up in an error: all of it as base64, its lines, and its long words."""
    if not init.strip():
        return set()
    lines = {line.strip() for line in init.splitlines()}
    words = {word for line in lines for word in _WORD.findall(line)}
    return (
        {base64.b64encode(init.encode(errors="replace")).decode()}
        | {line for line in lines if len(line) >= LINE_CHARS_MIN}
        | {word for word in words if len(word) >= WORD_CHARS_MIN}
    )
