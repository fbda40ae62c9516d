"""Specs as one stable text: what is stored, compared and shown. Defaults are left out, opaque Properties kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skep.model.errors import Fault, InvalidError
from skep.model.json import NULL, RawJson
from skep.model.spec import (
    Device,
    FileRef,
    Gpus,
    GroupSpec,
    HealthCheck,
    Mount,
    PluginRef,
    Port,
    Resources,
    Restart,
    Rolling,
    Spec,
    WorkloadSpec,
)
from skep.specs.devices import PERMISSIONS
from skep.specs.json_text import read_json
from skep.specs.source import spec_of
from skep.specs.updating import PROGRESS_DEADLINE_S
from skep.specs.workload import FILE_MODE, NANO, RESTART_WINDOW_S


def to_json(spec: Spec) -> bytes:
    """The spec as compact JSON: documented names in documented order; equal specs give equal bytes."""
    return _text(_group(spec) if isinstance(spec, GroupSpec) else _workload(spec)).encode()


def from_json(text: bytes) -> Spec:
    """The spec that `to_json` wrote; InvalidError for what is none."""
    reading = read_json(text.decode(errors="surrogateescape"))
    if reading.faults:
        raise InvalidError(reading.faults)
    if len(reading.documents) != 1:
        raise InvalidError([Fault("must be one document")])
    return spec_of(reading.documents[0])


@dataclass(frozen=True, slots=True)
class _Raw:
    """JSON that is written as it is."""

    text: RawJson


_Value = None | bool | int | float | str | _Raw | Sequence["_Value"] | Mapping[str, "_Value"]


def _text(value: _Value) -> str:
    match value:
        case _Raw(text):
            return text.decode()
        case Mapping():
            return "{" + ",".join(f"{_text(name)}:{_text(part)}" for name, part in value.items()) + "}"
        case str() | None | bool() | int() | float():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return "[" + ",".join(map(_text, value)) + "]"


def _some(**parts: _Value) -> Mapping[str, _Value]:
    """The parts that are not empty, 0, false or None: the defaults of all fields but those named otherwise."""
    return {name: part for name, part in parts.items() if part}


def _group(spec: GroupSpec) -> Mapping[str, _Value]:
    ids = spec.allocation.logical_ids
    updating = {"MaxSurge": spec.updating.max_surge, "MaxUnavailable": spec.updating.max_unavailable}
    return {
        "ID": spec.id,
        "Properties": {
            "Allocation": {"LogicalIDs": ids} if ids else {"Size": spec.allocation.size},
            "Instance": _plugin(spec.instance),
            "Flavor": _plugin(spec.flavor),
            **_some(
                Images=spec.images,
                Updating={name: amount for name, amount in updating.items() if amount is not None},
            ),
        },
    }


def _plugin(ref: PluginRef) -> Mapping[str, _Value]:
    return {"Plugin": ref.plugin} | ({} if ref.properties == NULL else {"Properties": _Raw(ref.properties)})


def _workload(spec: WorkloadSpec) -> Mapping[str, _Value]:
    everywhere = spec.mode == "global"
    return {
        "Name": spec.name,
        "Image": spec.image,
        **({"Mode": "global"} if everywhere else {"Count": spec.count}),
        **_some(
            Cluster=spec.cluster,
            Command=spec.command,
            Args=spec.args,
            Env=dict(spec.env),
            Labels=dict(spec.labels),
            Ports=[_port(port) for port in spec.ports],
            Mounts=[_mount(mount) for mount in spec.mounts],
            Networks=spec.networks,
            Constraints=spec.constraints,
            Resources=_resources(spec.resources),
            HealthCheck=_health_check(spec.health_check) if spec.health_check else None,
        ),
        **({} if spec.stop_grace_s is None else {"StopGrace": _number(spec.stop_grace_s)}),
        **_some(
            User=spec.user,
            Secrets=[_file(ref) for ref in spec.secrets],
            Configs=[_file(ref) for ref in spec.configs],
            Restart=_restart(spec.restart),
            Updating=_rolling(spec.updating),
            Privileged=spec.privileged,
            Devices=[_device(device) for device in spec.devices],
            GPUs=_gpus(spec.gpus) if spec.gpus else None,
        ),
    }


def _port(port: Port) -> Mapping[str, _Value]:
    return {
        "Target": port.target,
        **_some(
            Published=port.published,
            Protocol="" if port.protocol == "tcp" else port.protocol,
            Mode="" if port.mode == "ingress" else port.mode,
        ),
    }


def _mount(mount: Mount) -> Mapping[str, _Value]:
    return {"Type": mount.type, "Target": mount.target, **_some(Source=mount.source, ReadOnly=mount.read_only)}


def _resources(resources: Resources) -> Mapping[str, _Value]:
    limits = _some(
        Cpus=_cores(resources.limit_nano_cpus), Memory=resources.limit_memory_bytes, Pids=resources.limit_pids
    )
    reservations = _some(Cpus=_cores(resources.reserve_nano_cpus), Memory=resources.reserve_memory_bytes)
    return _some(Limits=limits, Reservations=reservations)


def _cores(nano_cpus: int) -> float:
    """Exact both ways: below 2^53 nano-CPUs, nine million cores, no two amounts give one float."""
    return _number(nano_cpus / NANO)


def _health_check(check: HealthCheck) -> Mapping[str, _Value]:
    return {
        "Test": check.test,
        **_some(
            Interval=_number(check.interval_s),
            Timeout=_number(check.timeout_s),
            Retries=check.retries,
            StartPeriod=_number(check.start_period_s),
        ),
    }


def _file(ref: FileRef) -> Mapping[str, _Value]:
    return {
        "Source": ref.source,
        **_some(Target=ref.target, UID="" if ref.uid == "0" else ref.uid, GID="" if ref.gid == "0" else ref.gid),
        **({} if ref.mode == FILE_MODE else {"Mode": ref.mode}),
    }


def _restart(restart: Restart) -> Mapping[str, _Value]:
    window_s = 0.0 if restart.window_s == RESTART_WINDOW_S else restart.window_s
    policy = "" if restart.policy == "always" else restart.policy
    return _some(Policy=policy, MaxAttempts=restart.attempts_max, Window=_number(window_s))


def _device(device: Device) -> Mapping[str, _Value]:
    return {
        "Source": device.source,
        **_some(
            Target="" if device.target == device.source else device.target,
            Permissions="" if device.permissions == PERMISSIONS else device.permissions,
        ),
    }


def _gpus(gpus: Gpus) -> Mapping[str, _Value]:
    return _some(
        Count="all" if gpus.count < 0 else gpus.count,
        DeviceIDs=gpus.ids,
        Driver=gpus.driver,
        Capabilities=gpus.capabilities,
    )


def _rolling(rolling: Rolling) -> Mapping[str, _Value]:
    """Here 0 says something, and what is left out is None."""
    ratio = rolling.failure_ratio_max
    ready_s, deadline_s = rolling.min_ready_s, rolling.progress_deadline_s
    written: Mapping[str, _Value] = {
        "MaxSurge": rolling.max_surge,
        "MaxUnavailable": rolling.max_unavailable,
        "MinReady": None if ready_s is None else _number(ready_s),
        "ProgressDeadline": None if deadline_s == PROGRESS_DEADLINE_S else _number(deadline_s),
        "FailureAction": rolling.failure_action,
        "MaxFailureRatio": _number(ratio) if ratio else None,
    }
    return {name: value for name, value in written.items() if value is not None}


def _number(amount: float) -> float:
    """Whole numbers without a fraction, as people write them."""
    return int(amount) if amount == int(amount) else amount
