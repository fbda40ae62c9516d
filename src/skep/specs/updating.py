"""`Updating` of groups and workloads: how far a roll may stray from the count, and how fast it goes."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, get_args

from pydantic import BeforeValidator

from skep.model.errors import Fault
from skep.model.spec import Amount, FailureAction, Rolling
from skep.specs.binding import Properties
from skep.specs.fields import COUNT_MAX
from skep.specs.scalars import Duration, duration_s

_PERCENT = re.compile(r"(100|[1-9]?[0-9])%")
_NONE = (0, "0%")

PROGRESS_DEADLINE_S = Rolling().progress_deadline_s


def amount_of(what: str) -> BeforeValidator:
    """A validator for a number of `what`, or a percentage of how many there shall be."""

    def check(given: object) -> object:
        if isinstance(given, bool) or not isinstance(given, int | str):
            raise ValueError(f'must be a number of {what} or a percentage such as "25%"')
        if isinstance(given, str) and not _PERCENT.fullmatch(given):
            raise ValueError(f'must be a number of {what} or a percentage from "0%" to "100%"')
        if isinstance(given, int) and not 0 <= given <= COUNT_MAX:
            raise ValueError("must not be negative" if given < 0 else f"must be at most {COUNT_MAX}")
        return given

    return BeforeValidator(check)


def both_zero(given: Mapping[str, object]) -> Iterator[Fault]:
    """The fault of a roll that could never replace anything."""
    if given.get("MaxSurge") in _NONE and given.get("MaxUnavailable") in _NONE:
        yield Fault("MaxSurge and MaxUnavailable can't both be 0: nothing could ever be replaced")


Containers = Annotated[Amount, amount_of("containers")]

_ACTIONS: tuple[str, ...] = get_args(FailureAction)


def _is_action(given: object) -> object:
    if given not in _ACTIONS:
        raise ValueError(f"must be {', '.join(_ACTIONS[:-1])} or {_ACTIONS[-1]}")
    return given


def _is_ratio(given: object) -> object:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        raise ValueError("must be a number from 0 to 1")
    return given


Action = Annotated[FailureAction, BeforeValidator(_is_action)]
Ratio = Annotated[float, BeforeValidator(_is_ratio)]


class RollingPart(Properties):
    """`Updating` of a workload."""

    max_surge: Containers | None = None
    max_unavailable: Containers | None = None
    min_ready: Duration | None = None
    progress_deadline: Duration = PROGRESS_DEADLINE_S
    failure_action: Action | None = None
    max_failure_ratio: Ratio = 0.0

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        """What has to be ready for longer than a roll may stand still would always be late."""
        yield from both_zero(given)
        ready_s, deadline_s = _seconds(given, "MinReady", 0.0), _seconds(given, "ProgressDeadline", PROGRESS_DEADLINE_S)
        if 0 < deadline_s <= ready_s:
            yield Fault("must be shorter than ProgressDeadline, which is 10m where it is not written", "MinReady")

    def spec(self) -> Rolling:
        return Rolling(
            self.max_surge,
            self.max_unavailable,
            self.min_ready,
            self.progress_deadline,
            self.failure_action,
            self.max_failure_ratio,
        )


def _seconds(given: Mapping[str, object], field: str, default_s: float) -> float:
    """What is no duration at all has a fault of its own."""
    try:
        read = duration_s(given.get(field, default_s))
    except ValueError:
        return default_s
    return float(read) if isinstance(read, int | float) else default_s


def faults_of_jobs(updating: object) -> Iterator[Fault]:
    """A job serves nobody: what failed of it is told as such, and there is nothing that could go on in its place."""
    if isinstance(updating, Mapping) and updating.get("FailureAction", "continue") != "continue":
        yield Fault("must be continue for a job (Restart never)", "Updating.FailureAction")


def faults_of_global(updating: object) -> Iterator[Fault]:
    """With `Mode: global` an engine has one container and room for no other."""
    if not isinstance(updating, Mapping):
        return
    if updating.get("MaxSurge", 0) not in _NONE:
        yield Fault("must be 0 with Mode global: each node runs one", "Updating.MaxSurge")
    if updating.get("MaxUnavailable") in _NONE:
        yield Fault("must be at least 1 with Mode global: each node runs one", "Updating.MaxUnavailable")
