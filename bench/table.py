"""What was measured, as a table that says of each line whether its limit was held."""

from collections.abc import Sequence
from dataclasses import dataclass

HEAD = ("what", "skep", "other", "ratio", "at most", "held")


@dataclass(frozen=True)
class Row:
    """One figure of skep's in `unit`.

    other: what it was measured against; None where there is nothing but a limit.
    limit: the most that it may be: of the ratio to the other, or of skep's own figure. None: told for comparison alone.
    """

    what: str
    unit: str
    skep: float
    other: float | None = None
    limit: float | None = None

    @property
    def figure(self) -> float:
        """What the limit is for."""
        return self.skep if self.other is None else self.skep / self.other

    @property
    def held(self) -> bool:
        """Whether skep is within its limit."""
        return self.limit is None or self.figure <= self.limit

    def cells(self) -> tuple[str, ...]:
        """The line as people read it."""
        has_other = self.other is not None
        own = f" {self.unit}" if not has_other else ""
        return (
            self.what,
            f"{self.skep:.2f} {self.unit}",
            f"{self.other:.2f} {self.unit}" if has_other else "",
            f"{self.figure:.2f}" if has_other else "",
            "" if self.limit is None else f"{self.limit:.2f}{own}",
            "" if self.limit is None else ("yes" if self.held else "NO"),
        )


def told(rows: Sequence[Row]) -> str:
    """All rows beneath a head, in columns."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
