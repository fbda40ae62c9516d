"""Types of fields that groups and workloads share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator

from skep.model.errors import Fault
from skep.specs.references import duplicates, image_fault, name_fault

COUNT_MAX = 10_000
"""Members of one key. InfraKit and Swarm set none; 10,000 is far beyond what one controller was measured to keep, and
far below what a slip of the finger (Count: 50000000) would ask for."""


def refusing(fault: Callable[[str], str]) -> AfterValidator:
    """A validator that raises with what `fault` says of a text, and lets it pass where that is empty."""

    def check(text: str) -> str:
        if message := fault(text):
            raise ValueError(message)
        return text

    return AfterValidator(check)


Name = Annotated[str, refusing(name_fault)]
Image = Annotated[str, refusing(image_fault)]


def twice(given: Mapping[str, object], field: str, values: Iterable[object] | None = None) -> Iterator[Fault]:
    """A fault for each item of a list that was there before; `values` are what is compared, the items by default."""
    items = given.get(field)
    compared = items if values is None else tuple(values)
    if isinstance(compared, tuple):
        for index, first in duplicates(compared):
            yield Fault(f"is the same as {field}[{first}]", f"{field}[{index}]")


def objects(given: Mapping[str, object], field: str) -> Sequence[Mapping[str, object]]:
    """The items of a list field; empty objects stand for items of another type, so that indices stay."""
    items = given.get(field)
    return [item if isinstance(item, Mapping) else {} for item in items] if isinstance(items, tuple) else []
