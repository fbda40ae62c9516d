"""What a Docker Engine's refusals mean, as errors named after what to do: the only place that reads its texts."""

import re
from collections.abc import Callable

from skep.model.errors import ConflictError, NoImageError, NotFoundError, RejectedError, SkepError, UnavailableError

_TOKEN = re.compile(r"SWMTKN-[\w.-]+")

# Texts come before the status: the engine answers 500 to much that is no fault of its own (semantics.md 5.2).
_CONFLICTS = (
    "update out of sequence",  # a version on /nodes or /services that is out of date
    "code = AlreadyExists",
    "Address already in use",  # a fixed address that another container took in the meantime
    "has active endpoints",  # 403: a network that containers are still on
)
_UNAVAILABLE = (
    "does not have a leader",
    "not a swarm manager",
    "deadline exceeded",
    "DeadlineExceeded",
    "code = Unavailable",
    "needs to be unlocked",
    "cannot connect to the docker daemon",
)
_REFUSALS = (
    "must be demoted first",
    "code = InvalidArgument",
    "code = FailedPrecondition",
    "code = PermissionDenied",
    "code = Unimplemented",
    "OCI runtime",
    "oci runtime error",
    "failed to create shim",
    "unable to apply caps",
    "port is already allocated",
    "Pool overlaps",
    "invalid",
    "not supported",
)
_MISSING = ("code = NotFound",)


class UnreachableError(OSError):
    """There is no way to an engine, and why, in words: what it answers to is `could not …`. Made into an
    UnavailableError by the wire; an OSError, so that the connection pool lets it through."""


def redact(text: str) -> str:
    """`text` without join tokens."""
    return _TOKEN.sub("SWMTKN-…", text)


def _contains(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)


Meaning = Callable[[int, str], type[SkepError]]
"""What an answer of some status and text asks of whoever called."""


def answer_kind(status: int, message: str) -> type[SkepError]:
    """The meaning of most answers."""
    if _contains(message, _CONFLICTS):
        return ConflictError
    if _contains(message, _UNAVAILABLE):
        return UnavailableError
    if status == 404 or _contains(message, _MISSING):
        return NotFoundError
    if status == 409:
        return ConflictError
    if status < 500 or _contains(message, _REFUSALS):
        return RejectedError
    return UnavailableError


def pull_kind(status: int, message: str) -> type[SkepError]:
    """The meaning of a pull that failed: the engine passes on what its registry said, under any status, and nobody can
    tell for sure whether it is for good (semantics.md W32 waits alike for both)."""
    return NoImageError


def start_kind(status: int, message: str) -> type[SkepError]:
    """The meaning of a start that failed: 404 is also the answer where something that the container needs is missing
    (`network x not found`)."""
    kind = answer_kind(status, message)
    return RejectedError if kind is NotFoundError and not message.startswith("No such container") else kind


def engine_error(status: int, message: str, what: str, endpoint: str, meaning: Meaning = answer_kind) -> SkepError:
    """The error for an answer of `status` with the engine's own `message`; `what` is an infinitive ("start x").

    0 is an error that came inside a stream whose status was 200.
    """
    text = redact(f"could not {what} on {endpoint}: the engine answered {status or 'in its stream'}: {message.strip()}")
    return meaning(status, message)(text)
