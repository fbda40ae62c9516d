"""What a workload asks of its host beyond a container's own: rights, devices and GPUs. Only an Engine gives them."""

from skep.model.json import Json, JsonObject
from skep.model.spec import Device, Gpus, WorkloadSpec

GPU = "gpu"
"""The capability that docker's client asks of a device driver with each `--gpus`."""


def host_rights(spec: WorkloadSpec) -> dict[str, Json]:
    """Parts of a container's HostConfig; empty ones are not asked for."""
    return {
        "Privileged": spec.privileged,
        "Devices": [_device(d) for d in spec.devices],
        "DeviceRequests": [_gpu_request(spec.gpus)] if spec.gpus else [],
    }


def _device(device: Device) -> JsonObject:
    return {
        "PathOnHost": device.source,
        "PathInContainer": device.target,
        "CgroupPermissions": device.permissions,
    }


def _gpu_request(gpus: Gpus) -> JsonObject:
    """As `docker run --gpus` makes it: one set of capabilities, `gpu` last, that one driver has to have."""
    return {
        "Driver": gpus.driver,
        "Count": gpus.count,
        "DeviceIDs": list(gpus.ids) or None,
        "Capabilities": [[*(c for c in gpus.capabilities if c != GPU), GPU]],
        "Options": {},
    }


def swarm_refusal(spec: WorkloadSpec) -> str:
    """Which fields ask for what Swarm mode can't do, a sentence for each; empty when it can do all of it."""
    asked = {
        "Privileged: Swarm mode has no privileged containers": spec.privileged,
        "Devices: Swarm mode gives no devices to containers": bool(spec.devices),
        "Restart.MaxAttempts: Swarm mode does not tell when it gives up a job": spec.restart.once
        and spec.restart.attempts_max > 1,
        "GPUs: Swarm mode takes no requests for GPUs": spec.gpus is not None,
    }
    return "; ".join(
        f"{told}; run it on plain Engines, or leave the field out" for told, is_asked in asked.items() if is_asked
    )
