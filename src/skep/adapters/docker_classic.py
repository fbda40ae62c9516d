"""What a classic Swarm manager takes and says otherwise than an Engine does (semantics.md 5.4)."""

from collections.abc import Mapping, Sequence

from skep.adapters.docker_errors import answer_kind, pull_kind
from skep.model.errors import NotFoundError, RejectedError, SkepError
from skep.model.json import JsonObject

SHARES_OF_A_CORE = 1024
"""An Engine's weight of one core; the manager counts cores, and weighs them by what the node has (5.4, 7)."""

_NO_PLACE = ("no resources available", "Unable to find a node", "unable to find a node")
"""Its scheduler says no: nothing was made."""

_NO_IMAGE = (
    "pull access denied",
    "manifest unknown",
    "manifest for ",
    "repository does not exist",
    "Error: image ",
    "unauthorized: ",
    "toomanyrequests",
    "Get http",
    'Get "http',
)
"""It pulls what is missing as a part of a creation, and answers 500 with the registry's words (5.4, 6)."""


def classic_body(body: JsonObject) -> JsonObject:
    """The body of a creation, with cores for weights. A part of a core is a whole one: it knows no parts."""
    config = body.get("HostConfig")
    shares = config.get("CpuShares") if isinstance(config, Mapping) else None
    if not isinstance(config, Mapping) or not isinstance(shares, int) or not shares:
        return body
    return {**body, "HostConfig": {**config, "CpuShares": -(-shares // SHARES_OF_A_CORE)}}


def create_kind(status: int, message: str) -> type[SkepError]:
    """The meaning of a creation that failed. Whatever is not known for a refusal may have been done (W26)."""
    if any(text in message for text in _NO_PLACE):
        return RejectedError
    if status >= 500 and any(text in message for text in _NO_IMAGE):
        return pull_kind(status, message)
    return answer_kind(status, message)


def remove_kind(status: int, message: str) -> type[SkepError]:
    """The meaning of a removal that failed: of what somebody else has removed, the manager passes on its engine's words
    under another status, for as long as it remembers it."""
    return NotFoundError if "No such container" in message else answer_kind(status, message)


_NODE = " "
_DETAIL = "└"
_UNNAMED = "(unknown)"
_DOWN = frozenset({"Unhealthy", "Disconnected", "Maintenance"})
"""States that a node has which the manager reached before: what is on it is listed as Host Down."""


def read_nodes(status: Sequence[Sequence[str]]) -> tuple[tuple[str, bool], ...]:
    """The engines of `SystemStatus` in GET /info, and whether the manager reaches them: ` NAME` and its address, then
    lines that begin with `└`. One that was never reached has no name, and nothing is on it."""
    nodes: dict[str, bool] = {}
    name = ""
    for label, value in (line for line in status if len(line) == 2):
        detail = label.strip().startswith(_DETAIL)
        if label.startswith(_NODE) and not detail:
            name = label.strip()
            nodes[name] = True
        elif detail and label.endswith(" Status") and value in _DOWN:
            nodes[name] = False
    nodes.pop(_UNNAMED, None)
    return tuple(nodes.items())
