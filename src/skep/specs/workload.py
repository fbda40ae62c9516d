"""Workloads, as /submit takes them and with what a Swarm service has besides, to `WorkloadSpec`."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from skep.model.errors import Fault
from skep.model.spec import FileRef, HealthCheck, Mount, Port, Resources, Restart, WorkloadSpec
from skep.specs import shorthands
from skep.specs.binding import Properties, Short
from skep.specs.devices import DevicePart, GpusPart, device_in_full, gpus_in_full
from skep.specs.fields import COUNT_MAX, Image, Name, objects, refusing, twice
from skep.specs.references import VARIABLE, constraint_fault, label_fault
from skep.specs.scalars import ByteSize, Duration, size_bytes
from skep.specs.updating import RollingPart, faults_of_global, faults_of_jobs

MEMORY_MIN = 4 * 1024 * 1024
"""SwarmKit refuses a smaller limit or reservation (validateResources)."""

CPUS_MIN = 0.001
CPUS_MAX = 9_000_000
"""SwarmKit's bounds: at least 1e6 nano-CPUs, and nano-CPUs are a signed 64-bit number."""

_NETWORK = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_OCTAL = re.compile(r"0?o?[0-7]{3,4}")
_ID = re.compile(r"[0-9]{1,10}")

NANO = 1_000_000_000
"""Nano-CPUs of one core: the engine's unit."""

DURATION_MIN_S = 0.001
"""The engine refuses a shorter time in a health check, 0 aside (its default)."""

RESTARTS_MAX = 10_000
"""At the longest back-off of five minutes that is a month of trying; without end is 0."""

RESTART_WINDOW_S = Restart().window_s
WINDOW_MIN_S = 1.0
"""A container that runs for less has not run."""

FILE_MODE = 0o444
"""What secrets and configs are without a Mode: readable for all, as docker's own."""


def _path_fault(path: str) -> str:
    return "" if path.startswith("/") and path.strip("/") else "must be an absolute path other than /"


def _variable_fault(name: str) -> str:
    return "" if VARIABLE.fullmatch(name) else "a variable needs a name without ="


def _id_fault(text: str) -> str:
    return "" if _ID.fullmatch(text) else 'must be a number in quotes such as "1000"'


def _network_fault(name: str) -> str:
    return "" if _NETWORK.fullmatch(name) else "must be the name of a network: letters, digits and - _ ."


def _at_least(least: float, shown: str, *, or_zero: bool = True) -> AfterValidator:
    """A validator that refuses what is smaller than `least`; 0 is let through where it means none."""

    def check(amount: float) -> float:
        if amount < least and not (or_zero and amount == 0):
            raise ValueError(f"must be at least {shown}")
        return amount

    return AfterValidator(check)


def _octal(given: object) -> object:
    if not isinstance(given, str):
        return given
    if _OCTAL.fullmatch(given) is None:
        raise ValueError('must be an octal number such as 0o440 or "0440"')
    return int(given.replace("o", ""), 8)


Words = Annotated[tuple[str, ...], Short(shorthands.words)]
Cpus = Annotated[float, Field(ge=0, le=CPUS_MAX), _at_least(CPUS_MIN, f"{CPUS_MIN:g}")]
Memory = Annotated[ByteSize, _at_least(MEMORY_MIN, "4MiB")]
CheckTime = Annotated[Duration, _at_least(DURATION_MIN_S, "1ms")]
Label = Annotated[str, refusing(label_fault)]


class PortPart(Properties):
    """An entry of `Ports`."""

    target: Annotated[int, Field(ge=1, le=65535)]
    published: Annotated[int, Field(ge=0, le=65535)] = 0
    protocol: Literal["tcp", "udp", "sctp"] = "tcp"
    mode: Literal["ingress", "host"] = "ingress"

    def spec(self) -> Port:
        return Port(self.target, self.published, self.protocol, self.mode)


class MountPart(Properties):
    """An entry of `Mounts`."""

    type: Literal["volume", "bind", "tmpfs"] | None = None
    target: Annotated[str, refusing(_path_fault)]
    source: str = ""
    read_only: bool = False

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        source = given.get("Source", "")
        if isinstance(source, str):
            yield from _source_faults(given.get("Type") or _mount_type(source), source)

    def spec(self) -> Mount:
        return Mount(self.type or _mount_type(self.source), self.target, self.source, self.read_only)


def _mount_type(source: str) -> Literal["volume", "bind"]:
    return "bind" if source.startswith("/") else "volume"


def _source_faults(type_: object, source: str) -> Iterator[Fault]:
    if type_ == "bind" and not source.startswith("/"):
        yield Fault("must be an absolute path of the node for Type bind", "Source")
    if type_ == "tmpfs" and source:
        yield Fault("is not used with Type tmpfs; leave it out", "Source")
    if type_ == "volume" and source and not _VOLUME.fullmatch(source):
        yield Fault("must be the name of a volume: letters, digits and - _ .", "Source")


class LimitsPart(Properties):
    """`Resources.Limits`: what the container may use at most."""

    cpus: Cpus = 0.0
    memory: Memory = 0
    pids: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class ReservationsPart(Properties):
    """`Resources.Reservations`: what a node must have free for it."""

    cpus: Cpus = 0.0
    memory: Memory = 0


class ResourcesPart(Properties):
    """`Resources` of each container."""

    limits: LimitsPart = LimitsPart()
    reservations: ReservationsPart = ReservationsPart()

    def spec(self) -> Resources:
        return Resources(
            limit_nano_cpus=round(self.limits.cpus * NANO),
            limit_memory_bytes=self.limits.memory,
            limit_pids=self.limits.pids,
            reserve_nano_cpus=round(self.reservations.cpus * NANO),
            reserve_memory_bytes=self.reservations.memory,
        )


class HealthCheckPart(Properties):
    """`HealthCheck`, as Docker knows it."""

    test: Annotated[tuple[str, ...], Short(shorthands.health_test)]
    interval: CheckTime = 0.0
    timeout: CheckTime = 0.0
    retries: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    start_period: CheckTime = 0.0

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        test = given.get("Test")
        if isinstance(test, tuple) and (message := _test_fault(test)):
            yield Fault(message, "Test")

    def spec(self) -> HealthCheck:
        return HealthCheck(self.test, self.interval, self.timeout, self.retries, self.start_period)


def _test_fault(test: tuple[object, ...]) -> str:
    match test:
        case ("NONE",) | ("CMD-SHELL", _) | ("CMD", _, *_):
            return ""
        case ("NONE" | "CMD-SHELL" | "CMD", *_):
            return "takes one line after CMD-SHELL, a command after CMD, nothing after NONE"
        case _:
            return "must be a line for the shell, or a list from CMD, CMD-SHELL or NONE on"


class FilePart(Properties):
    """An entry of `Secrets` or `Configs`."""

    source: Annotated[str, Field(min_length=1)]
    target: str = ""
    uid: Annotated[str, refusing(_id_fault)] = "0"
    gid: Annotated[str, refusing(_id_fault)] = "0"
    mode: Annotated[int, BeforeValidator(_octal), Field(ge=0, le=0o7777)] = FILE_MODE

    def spec(self) -> FileRef:
        return FileRef(self.source, self.target, self.uid, self.gid, self.mode)


class RestartPart(Properties):
    """`Restart`: whether and how often a container that ended is made anew."""

    policy: Literal["always", "never"] = "always"
    max_attempts: Annotated[int, Field(ge=0, le=RESTARTS_MAX)] = 0
    window: Annotated[Duration, _at_least(WINDOW_MIN_S, "1s", or_zero=False)] = RESTART_WINDOW_S

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        if given.get("Policy") == "never" and "Window" in given:
            yield Fault("is not used with Policy never, whose tries are counted for ever; leave it out", "Window")

    def spec(self) -> Restart:
        return Restart(self.max_attempts, self.window, self.policy)


Files = tuple[Annotated[FilePart, Short(shorthands.file_ref)], ...]


class WorkloadDocument(Properties):
    """A workload as it is written."""

    kind: Literal["workload"] = "workload"
    name: Name
    image: Image
    count: Annotated[int, Field(ge=0, le=COUNT_MAX)] | None = None
    cluster: Name | None = None
    command: Words = ()
    args: Words = ()
    env: Annotated[dict[Annotated[str, refusing(_variable_fault)], str], Short(shorthands.env)] = Field({})
    labels: Annotated[dict[Label, str], Short(shorthands.labels)] = Field({})
    ports: tuple[Annotated[PortPart, Short(shorthands.port)], ...] = ()
    mounts: tuple[Annotated[MountPart, Short(shorthands.mount)], ...] = ()
    networks: tuple[Annotated[str, refusing(_network_fault)], ...] = ()
    constraints: tuple[Annotated[str, refusing(constraint_fault)], ...] = ()
    resources: ResourcesPart = ResourcesPart()
    health_check: HealthCheckPart | None = None
    stop_grace: Duration | None = None
    mode: Literal["replicated", "global"] = "replicated"
    user: str = ""
    secrets: Files = ()
    configs: Files = ()
    restart: Annotated[RestartPart, Short(shorthands.restart)] = RestartPart()
    updating: RollingPart = RollingPart()
    privileged: bool = False
    devices: tuple[Annotated[DevicePart, Short(device_in_full)], ...] = ()
    gpus: Annotated[GpusPart | None, Short(gpus_in_full)] = None

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        yield from _count_faults(given)
        if given.get("Mode") == "global":
            yield from faults_of_global(given.get("Updating"))
        if _is_job(given.get("Restart")):
            yield from faults_of_jobs(given.get("Updating"))
        yield from twice(given, "Ports", map(_published, objects(given, "Ports")))
        yield from twice(given, "Mounts", [item.get("Target") for item in objects(given, "Mounts")])
        yield from twice(
            given, "Devices", [item.get("Target") or item.get("Source") for item in objects(given, "Devices")]
        )
        yield from twice(given, "Networks")
        yield from twice(given, "Constraints")
        for field in ("Secrets", "Configs"):
            yield from twice(given, field, [item.get("Target") or item.get("Source") for item in objects(given, field)])
        yield from _resource_faults(given.get("Resources"))

    def spec(self) -> WorkloadSpec:
        return WorkloadSpec(
            name=self.name,
            image=self.image,
            count=self.count or 0,
            cluster=self.cluster or "",
            command=self.command,
            args=self.args,
            env=tuple(self.env.items()),
            labels=tuple(self.labels.items()),
            ports=tuple(part.spec() for part in self.ports),
            mounts=tuple(part.spec() for part in self.mounts),
            networks=self.networks,
            constraints=self.constraints,
            resources=self.resources.spec(),
            health_check=self.health_check.spec() if self.health_check else None,
            stop_grace_s=self.stop_grace,
            mode=self.mode,
            user=self.user,
            secrets=tuple(part.spec() for part in self.secrets),
            configs=tuple(part.spec() for part in self.configs),
            restart=self.restart.spec(),
            updating=self.updating.spec(),
            privileged=self.privileged,
            devices=tuple(part.spec() for part in self.devices),
            gpus=self.gpus.spec() if self.gpus else None,
        )


def _is_job(restart: object) -> bool:
    return restart == "never" or (isinstance(restart, Mapping) and restart.get("Policy") == "never")


def _count_faults(given: Mapping[str, object]) -> Iterator[Fault]:
    everywhere = given.get("Mode") == "global"
    if everywhere and "Count" in given:
        yield Fault("is not used with Mode global, which runs one on each node; leave it out", "Count")
    if not everywhere and "Count" not in given:
        yield Fault("is required", "Count")


def _published(port: Mapping[str, object]) -> str | None:
    """What two ports may not share on one node."""
    published = port.get("Published")
    return f"{published}/{port.get('Protocol', 'tcp')}" if published else None


def _resource_faults(resources: object) -> Iterator[Fault]:
    parts = resources if isinstance(resources, Mapping) else {}
    limits, reservations = parts.get("Limits"), parts.get("Reservations")
    if not (isinstance(limits, Mapping) and isinstance(reservations, Mapping)):
        return
    for field, read in (("Cpus", lambda given: given), ("Memory", _bytes)):
        limit, reserved = read(limits.get(field)), read(reservations.get(field))
        if isinstance(limit, int | float) and isinstance(reserved, int | float) and 0 < limit < reserved:
            yield Fault("must not be more than the limit", f"Resources.Reservations.{field}")


def _bytes(given: object) -> object:
    try:
        return size_bytes(given)
    except ValueError:
        return given
