"""What the swarm flavor may be told, and what is wrong with it."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Literal

from pydantic import Field

from skep.model.errors import Fault, InvalidError, RejectedError
from skep.model.json import RawJson
from skep.model.spec import Allocation
from skep.model.state import Role
from skep.plugins.flavor_attachments import AttachmentProperties, attachment_faults
from skep.plugins.go_types import Decode, check_types, without_nulls
from skep.specs.properties import Properties, read
from skep.wire.go_decode import text

MANAGER_COUNTS = (1, 3, 5, 7)
"""A majority needs an odd number, and more than seven only slow the raft down (semantics.md N1)."""

UNRECOGNIZED = Fault("Unrecognized node Type")
WRONG_COUNT = Fault("Must have 1, 3, or 5 manager logical IDs")
"""InfraKit's words for its own cases (infrakit-compat.md 4.1). Seven are taken all the same."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_VALUE = re.compile(r"[A-Za-z0-9._:/@+=, -]{0,255}")
_RESERVED = ("swarm-association-id", "skep.")


class SwarmProperties(Properties):
    """cluster: the one to join; empty means the only one for workers, and for managers the one of their own group.

    docker_restart_command: how the engine takes up new labels; empty means that it is told to reload.
    host: the URL of a manager's engine, for a Swarm that skep did not make.
    init_script_template_url: what makes the script, instead of our own.
    swarm_join_ip: the logical ID that founds the Swarm, where no controller chooses it (infrakit-compat.md 4.1).
    """

    type: Literal["manager", "worker"]
    cluster: str = ""
    docker_restart_command: str = ""
    engine_labels: dict[str, str] = Field(default_factory=dict)
    attachments: dict[str, tuple[AttachmentProperties, ...]] = Field(default_factory=dict)
    host: str = ""
    init_script_template_url: str = ""
    swarm_join_ip: str = ""

    @property
    def role(self) -> Role:
        return Role(self.type)

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        labels = given.get("EngineLabels")
        for name, value in (labels if isinstance(labels, Mapping) else {}).items():
            yield from _label_faults(str(name), str(value), f"EngineLabels.{name}")


_TYPES: Mapping[str, Decode] = {"DockerRestartCommand": text, "Type": text}
_ZEROS = {"EngineLabels": RawJson(b'""'), "Attachments": RawJson(b"[]")}


@lru_cache(maxsize=1024)
def read_swarm(properties: RawJson, lenient: bool = False) -> SwarmProperties:
    """Read once: every turn of every key asks for those of all groups. A fault of Type, and types that are wrong, have
    InfraKit's words if read leniently."""
    if lenient:
        check_types(properties, "schema", _TYPES)
        properties = without_nulls(properties, _ZEROS)
    try:
        return read(properties, SwarmProperties, lenient=lenient)
    except InvalidError as error:
        if not lenient:
            raise
        raise InvalidError([UNRECOGNIZED if fault.path == "Type" else fault for fault in error.faults]) from error


def check_allocation(wanted: SwarmProperties, allocation: Allocation, lenient: bool = False) -> None:
    """Raise InvalidError with all that is wrong between the properties and the group's allocation."""
    attachments = attachment_faults(wanted.attachments, allocation.logical_ids, lenient)
    faults = [*_logical_id_faults(allocation), *attachments]
    if wanted.role is Role.MANAGER:
        faults[:0] = _manager_faults(wanted, allocation, lenient)
    if faults:
        raise InvalidError(faults)


def _manager_faults(wanted: SwarmProperties, allocation: Allocation, lenient: bool) -> Iterator[Fault]:
    count = len(allocation.logical_ids)
    if count not in MANAGER_COUNTS and lenient:
        yield WRONG_COUNT
    elif not count:
        yield Fault("a manager keeps its address and its disk, so Allocation.LogicalIDs must name each one", "Type")
    elif count not in MANAGER_COUNTS:
        yield Fault(
            f"Allocation.LogicalIDs names {count} managers, and there must be 1, 3, 5 or 7: {_why_not(count)}", "Type"
        )
    if wanted.swarm_join_ip and wanted.swarm_join_ip not in allocation.logical_ids:
        yield Fault("must be one of Allocation.LogicalIDs", "SwarmJoinIP")


def _why_not(count: int) -> str:
    if count > max(MANAGER_COUNTS):
        return "each one more makes every write slower"
    return f"a majority of {count} is {count // 2 + 1}, so {count} survive the loss of no more than {count - 1} do"


def _logical_id_faults(allocation: Allocation) -> Iterator[Fault]:
    for logical_id in dict.fromkeys(allocation.logical_ids):
        if not _is_plain(logical_id):
            yield Fault(f"LogicalID {logical_id!r} may hold letters, digits, blanks and ._:/@+=,- only")
        if allocation.logical_ids.count(logical_id) > 1:
            yield Fault(f"LogicalID {logical_id} specified more than once")


def _label_faults(name: str, value: str, path: str) -> Iterator[Fault]:
    if not _NAME.fullmatch(name):
        yield Fault("a label's name may hold letters, digits and ._/- only", path)
    if name.startswith(_RESERVED):
        yield Fault("this label is skep's own", path)
    if not _is_plain(value):
        yield Fault("a label's value may hold letters, digits, blanks and ._:/@+=,- only", path)


def check_labels(labels: Mapping[str, str]) -> None:
    """RejectedError for a value that the script can't hold: IDs of groups and tags come as anybody wrote them."""
    for name, value in labels.items():
        if not _is_plain(value):
            raise RejectedError(
                f"{value!r} can't become the engine's label {name}, which may hold letters, digits, blanks and "
                "._:/@+=,- only"
            )


def _is_plain(value: str) -> bool:
    """What needs no quoting in JSON, in sed and within a shell's single quotes."""
    return _VALUE.fullmatch(value) is not None
