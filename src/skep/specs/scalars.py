"""Values with units as people write them: sizes, durations. Annotated types for pydantic models."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

_SIZE = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))? ?([kmgtp]?)i?b?", re.IGNORECASE)
_UNIT_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}

_PART = r"[0-9]{1,18}(?:\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h)"
_DURATION = re.compile(f"(?:{_PART})+")
_DURATION_PART = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")
_UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

INT64_MAX = 2**63 - 1
"""The engine's sizes are signed 64-bit numbers of bytes."""

SECONDS_MAX = 9_000_000_000
"""The engine's durations are signed 64-bit numbers of nanoseconds: some 292 years."""


def size_bytes(given: object) -> object:
    """Bytes of `512MiB`, `1g`, `1.5GB`: units of 1024 as Docker reads them. Numbers are bytes already.

    Raises ValueError for text that is no size; what is neither text nor number is left for the type check.
    """
    if not isinstance(given, str):
        return given
    match = _SIZE.fullmatch(given)
    if match is None:
        raise ValueError("must be a number of bytes or a size such as 512MiB or 1g")
    unit = _UNIT_BYTES[match[3].lower()]
    fraction = match[2] or ""
    return int(match[1]) * unit + int(fraction or 0) * unit // 10 ** len(fraction)


def duration_s(given: object) -> object:
    """Seconds of `10s`, `1m30s`, `500ms`. Numbers are seconds already; raises ValueError for other text."""
    if not isinstance(given, str):
        return given
    if _DURATION.fullmatch(given) is None:
        raise ValueError("must be a number of seconds or a duration such as 10s or 1m30s")
    return sum(float(number) * _UNIT_S[unit] for number, unit in _DURATION_PART.findall(given))


ByteSize = Annotated[int, BeforeValidator(size_bytes), Field(ge=0, le=INT64_MAX)]
"""Bytes, not negative: a whole number, or text such as `512MiB`."""

Duration = Annotated[float, BeforeValidator(duration_s), Field(ge=0, le=SECONDS_MAX)]
"""Seconds, not negative: a number, or text such as `1m30s`."""
