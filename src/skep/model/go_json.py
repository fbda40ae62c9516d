"""How Go's encoding/json writes text: what InfraKit hashed and stored, byte for byte."""

import re

_ESCAPED = re.compile(r'[<>&"\\\x00-\x1f\u2028\u2029\ud800-\udfff]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def go_string(text: str) -> str:
    """The text in quotes; half surrogate pairs become U+FFFD, as Go decodes them."""
    return f'"{_ESCAPED.sub(go_escape, text)}"'


def go_escape(match: re.Match[str]) -> str:
    """What stands for the one character that was matched."""
    char = match[0]
    if "\ud800" <= char <= "\udfff":
        return "\ufffd"
    return _ESCAPES.get(char) or f"\\u{ord(char):04x}"
