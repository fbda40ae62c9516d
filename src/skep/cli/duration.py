"""`90`, `90s`, `5m`, `1h30m` as seconds."""

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}

DIGITS = "0123456789"


def seconds(text: str) -> float | None:
    """None for what is no duration; a plain number counts seconds."""
    whole, point, part = text.partition(".")
    if _is_number(whole) and (not point or _is_number(part)):
        return float(text)
    found_s, number = 0, ""
    for one in text:
        if one in UNITS_S and number:
            found_s, number = found_s + int(number) * UNITS_S[one], ""
        elif one in DIGITS:
            number += one
        else:
            return None
    return None if number or not text else float(found_s)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def duration(text: str) -> float:
    """Seconds; ValueError says what is wrong."""
    found_s = seconds(text)
    if found_s is None:
        raise ValueError(f"{text!r} is no duration: write 90s, 5m or 1h30m")
    return found_s


def since(text: str) -> tuple[int, float]:
    """An event's number, or how long ago: (number, seconds), of which the one that is not meant is 0."""
    if _is_number(text):
        return int(text), 0.0
    ago_s = seconds(text)
    if ago_s is None:
        raise ValueError(f"{text!r} is neither an event's number nor a duration such as 10m")
    return 0, ago_s
