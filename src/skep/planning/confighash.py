"""InfraKit's `infrakit.config_sha`, bit for bit (infrakit-compat.md 3.3): members made by either are known to both."""

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping

from skep.model.go_json import go_string
from skep.model.json import Json, RawJson


def config_sha(
    instance_plugin: str, instance_properties: RawJson, flavor_plugin: str, flavor_properties: RawJson
) -> str:
    """The hash of what a group's members are made of: plugins and their properties; size and IDs are left out.

    Key order, white space and the spelling of numbers do not matter. Raises ValueError for what is no JSON.
    """
    instance = _stable(instance_plugin, instance_properties)
    flavor = _stable(flavor_plugin, flavor_properties)
    digest = hashlib.sha1((instance + flavor).encode("utf-8"), usedforsecurity=False).digest()
    return urlsafe_b64encode(digest).decode()


def _stable(plugin: str, properties: RawJson) -> str:
    """What Go's `json.MarshalIndent(v, "  ", "  ")` prints of the decoded value."""
    decoded = json.loads(properties.decode("utf-8", errors="replace"), parse_int=float)
    return _indented({"Plugin": plugin, "Properties": decoded}, "\n  ")


def _indented(value: Json, newline: str) -> str:
    inner = newline + "  "
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return go_float(float(value))
        case str():
            return go_string(value)
        case Mapping():
            names = sorted(value, key=lambda name: _clean(name).encode())
            parts = [f"{go_string(name)}: {_indented(value[name], inner)}" for name in names]
            return _wrapped("{", parts, "}", newline)
        case _:
            return _wrapped("[", [_indented(item, inner) for item in value], "]", newline)


def _wrapped(opening: str, parts: list[str], closing: str, newline: str) -> str:
    inner = newline + "  "
    return f"{opening}{inner}{f',{inner}'.join(parts)}{newline}{closing}" if parts else opening + closing


def _clean(text: str) -> str:
    """Half surrogate pairs become U+FFFD, as Go decodes them."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def go_float(number: float) -> str:
    """A float64 as Go ≥ 1.8 prints it in JSON: shortest digits, an exponent only below 1e-6 and from 1e21 on."""
    if number == 0:
        return "-0" if str(number).startswith("-") else "0"
    sign = "-" if number < 0 else ""
    digits, exponent = _shortest(abs(number))
    if not 1e-6 <= abs(number) < 1e21:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{exponent:+d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _shortest(number: float) -> tuple[str, int]:
    """The fewest digits that give `number` back, and the power of ten of the first."""
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    return digits.rstrip("0"), len(whole) - 1 - leading + int(exponent or 0)
