"""What the plugin keeps of a machine: names made from its request, and the record on its volume."""

import hashlib
import re
from collections.abc import Mapping

import msgspec

from skep.model.errors import BugError
from skep.model.machine import InstanceSpec

CONTROLLER_LABEL = "skep.controller"
LOGICAL_ID_LABEL = "skep.logical-id"
RECORD_LABEL = "skep.machine"
GROUP_TAG = "infrakit.group"
REQUEST_TAG = "skep.request"

SHORT_DIGITS = 12
"""48 bits of a hash: machines of one controller never meet in them."""
HOSTNAME_MAX = 63
HOME_TAG = "skep.state-dir"
"""Which state directory a machine's private folder is in, and whose server therefore keeps it."""


class Machine(msgspec.Struct, frozen=True):
    """All that it takes to make the machine's container again. `memory` in bytes and `cpus` in cores; 0 is no limit."""

    name: str
    hostname: str
    image: str
    network: str
    subnet: str
    address: str
    memory: int = 0
    cpus: float = 0.0
    logical_id: str | None = None
    tags: dict[str, str] = {}

    def labels(self, controller: str) -> dict[str, str]:
        """The same for its container and its volume: everything of ours is found by them."""
        logical = {} if self.logical_id is None else {LOGICAL_ID_LABEL: self.logical_id}
        own = {CONTROLLER_LABEL: controller, RECORD_LABEL: msgspec.json.encode(self).decode()}
        return self.tags | logical | own


def machine_of(labels: Mapping[str, str]) -> Machine | None:
    """The machine whose labels these are; None for what is none. BugError for a record that can't be read."""
    record = labels.get(RECORD_LABEL)
    if record is None:
        return None
    try:
        return msgspec.json.decode(record, type=Machine)
    except msgspec.MsgspecError as error:
        raise BugError(f"the label {RECORD_LABEL} of a machine can't be read: {error}") from error


def short_of(request: str) -> str:
    """The digits of a request that names, folders and hostnames are made of."""
    return hashlib.sha256(request.encode()).hexdigest()[:SHORT_DIGITS]


def name_of(controller: str, request: str) -> str:
    """The machine's ID: the name of its container and of its volume."""
    return f"skep-{controller}-{short_of(request)}"


def hostname_of(spec: InstanceSpec, name: str, *, logical_is_address: bool) -> str:
    """The logical ID where it is a name, else `GROUP-XXXXXX` of the machine's own digits."""
    digits = name[-SHORT_DIGITS:][:6]
    base = spec.logical_id if spec.logical_id and not logical_is_address else ""
    text = base or f"{spec.tags.get(GROUP_TAG, 'machine')}-{digits}"
    cleaned = re.sub(r"[^A-Za-z0-9-]+", "-", text).strip("-")
    return cleaned[:HOSTNAME_MAX].strip("-") or f"machine-{digits}"
