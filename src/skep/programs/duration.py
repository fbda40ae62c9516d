"""Durations as Go's flags take them."""

from typing import Any

import click

from skep.specs.scalars import duration_s


class Duration(click.ParamType[float]):
    """Seconds of `10s`, `1m30s`, `500ms`; at least 10 ms, so that nothing runs without a pause."""

    name = "duration"
    min_s = 0.01

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As Click asks for it."""
        if isinstance(value, float):
            return value
        try:
            seconds = duration_s(str(value))
        except ValueError:
            self.fail(f"{value!r} is no duration such as 10s, 1m30s or 500ms", param, ctx)
        assert isinstance(seconds, float)
        if seconds < self.min_s:
            self.fail(f"{value!r} is less than 10ms", param, ctx)
        return seconds
