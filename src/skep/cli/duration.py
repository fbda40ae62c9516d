"""`90`, `90s`, `5m`, `1h30m` as seconds."""

import re

import click

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float | None:
    """None for what is no duration; a plain number counts seconds."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+)([smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return float(sum(int(number) * UNITS_S[unit] for number, unit in parts))


class Duration(click.ParamType[float]):
    """A click type that gives seconds."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = seconds(value) if isinstance(value, str) else float(value)
        if found is None:
            self.fail(f"{value!r} is no duration: write 90s, 5m or 1h30m", param, ctx)
        return found
