"""A key's state in a word: made from its view, for tables and for --wait."""

from __future__ import annotations

from skep.cli.output import localised, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    View = Mapping[str, Any]

TROUBLES = (
    ("RollRefused", True, "Refused"),
    ("Progressing", False, "Failed"),
    ("NameConflict", True, "Conflict"),
    ("ReplicaFailure", True, "Failing"),
    ("ImagePullFailed", True, "Failing"),
    ("CrashLooping", True, "CrashLooping"),
    ("PartitionSuspected", True, "Unreachable"),
    ("Unreachable", True, "Unreachable"),
    ("RemediationRestricted", True, "Restricted"),
    ("Unplaceable", True, "Waiting"),
    ("Waiting", True, "Waiting"),
)
"""Condition, the status that means trouble, and the word for it: the worst first."""

TOLD_BY_MESSAGE = ("CrashLooping", "Waiting")
"""Of these the condition's reason says nothing that the word or the message does not; nor where it is the word."""

FINAL = ("Refused", "Failed", "Paused")
"""No time heals these: only people do (semantics.md W46, W54)."""


ADVICE = {
    "Unreachable": "see that its plugin (skep plugin ls), machines and engines run (skep cluster ls): skep goes on by "
    "itself as soon as they answer, of a Swarm's managers a majority. Where that majority is gone for good, the Swarm "
    "is lost: destroy the group of its managers with --cascade, and apply all of it again",
    "Conflict": "remove what has the name, or give another one; what was made for this, apply --adopt takes over",
    "Restricted": "see why so many are unhealthy at once: as soon as fewer are, the others are replaced",
    "Refused": "apply a spec that the reason allows",
    "Paused": "resume it, or go back with rollback",
    "Failed": "apply another spec, or try this one again with retry",
    "CrashLooping": "see why it ends: `docker logs` of a container that ended, on its engine, and `skep logs KEY`",
    "Failing": "mend what the reason names; retry tries it at once",
}
"""What a user may do about it, by the word of a state."""

AFTER_FAILURE = "apply another spec, or go back with rollback; resume and retry try the same once more"
"""Of a pause that skep made of a roll that failed."""


class State:
    """`word` is one of a closed list; `detail` says why, and of what is as wanted only whether it was gone back to."""

    __slots__ = ("detail", "word")

    def __init__(self, word: str, detail: str = "") -> None:
        self.word, self.detail = word, detail

    @property
    def final(self) -> bool:
        return self.word in FINAL


def state_of(view: View) -> State:
    """Ready only when the controller has acted on the newest generation and all is as wanted (W50, W51)."""
    if view["observedGeneration"] < view["generation"]:
        return State(
            "Removing" if view["removed"] else "Pending", f"generation {view['generation']} is not looked at yet"
        )
    if view["converged"] and not view["removed"]:
        return State("Ready", _went_back(view))
    found = {condition["type"]: condition for condition in view["conditions"]}
    for kind, status, word in TROUBLES:
        condition = found.get(kind)
        if condition is not None and condition["status"] is status:
            if condition["reason"] == "Paused":
                if not view["paused"]:
                    continue  # it was resumed, and nobody has looked at it since
                return State("Paused", plain(condition["message"]))
            reason = "" if word in {*TOLD_BY_MESSAGE, condition["reason"]} else condition["reason"]
            return State(word, _words(reason, condition["message"]))
    return State("Removing" if view["removed"] else "Progressing", _activity(view, found.get("Progressing")))


def advice(view: View) -> str:
    """What a user may do about the state of a key; empty where there is nothing to be done."""
    word = state_of(view).word
    return AFTER_FAILURE if word == "Paused" and view["givenUp"] else ADVICE.get(word, "")


def _went_back(view: View) -> str:
    """What was asked for last and is not what runs, for skep went back from it (W47); empty where it is."""
    told = (c["message"] for c in view["conditions"] if c["type"] == "RolledBack" and c["status"])
    return plain(next((f"went back: {message}" for message in told), ""))


def _activity(view: View, progressing: View | None) -> str:
    doing = view["doing"] or view["waiting"]
    if doing:
        return plain(doing[0]) + (f" (+{len(doing) - 1} more)" if len(doing) > 1 else "")
    return _words(progressing["reason"], progressing["message"]) if progressing else ""


def _words(reason: str, message: str) -> str:
    return ": ".join(text for text in (reason, localised(plain(message))) if text)
