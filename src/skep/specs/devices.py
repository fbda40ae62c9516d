"""What a container may use of its host beyond a container's own: devices and GPUs, as docker's users write them."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from skep.model.errors import Fault
from skep.model.json import Json
from skep.model.spec import Device, Gpus
from skep.specs.binding import Properties
from skep.specs.fields import refusing, twice

PERMISSIONS = "rwm"
"""Docker's default: reading, writing, and making device files of the kind."""

GPUS_MAX = 1024
"""Far more than a host has; an engine that is asked for what is no number to it would refuse each container anew."""

ALL = -1
"""The Engine API's number for all GPUs."""

_GPU = r"[A-Za-z0-9][A-Za-z0-9_.:/-]*"
_GPU_ID = re.compile(_GPU)
_GPU_LIST = re.compile(rf'("?)device=({_GPU}(?:,{_GPU})*)\1')
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def device_in_full(given: Json) -> object:
    """`/dev/fuse`, `/dev/a:/dev/b`, `/dev/a:rw`, `/dev/a:/dev/b:r`; raises ValueError for other text."""
    if not isinstance(given, str):
        return given
    source, *rest = given.split(":")
    permissions = rest.pop() if rest and not rest[-1].startswith("/") else PERMISSIONS
    if not all(_is_path(path) for path in (source, *rest)) or len(rest) > 1 or _permission_fault(permissions):
        raise ValueError(
            "must look like /dev/fuse, /dev/fuse:rw or /dev/sda:/dev/xvda:r; others are written as objects"
        )
    return {"Source": source, "Target": rest[0] if rest else source, "Permissions": permissions}


def gpus_in_full(given: Json) -> object:
    """`all`, a number, or `device=0,GPU-3a23c669`; raises ValueError for other text."""
    if given == "all" or (isinstance(given, int) and not isinstance(given, bool)):
        return {"Count": given}
    if not isinstance(given, str):
        return given
    match = _GPU_LIST.fullmatch(given)
    if match is None:
        raise ValueError("must look like all, 2 or device=0,1; drivers and capabilities are written as an object")
    return {"DeviceIDs": tuple(match[2].split(","))}


def _is_path(path: str) -> bool:
    return path.startswith("/") and path.strip("/") != "" and "\0" not in path


def _path_fault(path: str) -> str:
    return "" if _is_path(path) else "must be an absolute path such as /dev/fuse"


def _permission_fault(permissions: str) -> str:
    known = bool(permissions) and set(permissions) <= set(PERMISSIONS) and len(set(permissions)) == len(permissions)
    return "" if known else "must be some of r, w and m, each once"


def _in_order(permissions: str) -> str:
    """`wr` and `rw` are one: what is stored and hashed has one order."""
    return "".join(letter for letter in PERMISSIONS if letter in permissions)


def _gpu_fault(id_: str) -> str:
    return "" if _GPU_ID.fullmatch(id_) else "must be the number or UUID of a GPU, in quotes"


def _word_fault(word: str) -> str:
    return "" if _WORD.fullmatch(word) else "must be one word of letters, digits and - _ ."


def _driver_fault(name: str) -> str:
    return _word_fault(name) if name else ""


def _count(given: object) -> object:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given != "all":
        raise ValueError("must be a number of GPUs or all")
    if isinstance(given, int) and given < 1:
        raise ValueError("must be at least 1, or all")
    if isinstance(given, int) and given > GPUS_MAX:
        raise ValueError(f"must be at most {GPUS_MAX}, or all")
    return ALL if given == "all" else given


class DevicePart(Properties):
    """An entry of `Devices`."""

    source: Annotated[str, refusing(_path_fault)]
    target: Annotated[str, refusing(_path_fault)] | None = None
    permissions: Annotated[str, refusing(_permission_fault), AfterValidator(_in_order)] = PERMISSIONS

    def spec(self) -> Device:
        return Device(self.source, self.target or self.source, self.permissions)


class GpusPart(Properties):
    """`GPUs` of each container."""

    count: Annotated[int, BeforeValidator(_count)] | None = None
    device_ids: tuple[Annotated[str, refusing(_gpu_fault)], ...] = ()
    driver: Annotated[str, refusing(_driver_fault)] = ""
    capabilities: tuple[Annotated[str, refusing(_word_fault)], ...] = ()

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        counted, named = given.get("Count") is not None, bool(given.get("DeviceIDs"))
        if counted == named:
            yield Fault("takes only one of Count and DeviceIDs" if counted else "needs Count or DeviceIDs")
        yield from twice(given, "DeviceIDs")
        yield from twice(given, "Capabilities")

    def spec(self) -> Gpus:
        return Gpus(self.count or 0, self.device_ids, self.driver, self.capabilities)
