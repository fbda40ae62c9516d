"""The Engine API's request for a machine's container, in its two forms: pure, held by golden files."""

from skep.model.json import Json, JsonObject
from skep.plugins.docker.machine import Machine
from skep.plugins.docker.script import FOLDER, SCRIPT

CAPABILITIES = (
    "SYS_ADMIN",
    "NET_ADMIN",
    "SYS_PTRACE",
    "SYS_MODULE",
    "IPC_LOCK",
    "SYSLOG",
    "DAC_READ_SEARCH",
    "LINUX_IMMUTABLE",
    "SYS_TIME",
    "SYS_NICE",
    "MAC_ADMIN",
    "AUDIT_CONTROL",
    "NET_BROADCAST",
    "LEASE",
)
"""What a nested engine needs, on hosts that refuse `privileged` because they lack one that it would give."""

STOP_GRACE_S = 15
"""The nested engine gives its own containers 10 s."""


def container_body(
    machine: Machine, controller: str, folder: str, cgroup_version: str, *, privileged: bool
) -> JsonObject:
    """`folder` is the machine's private folder on the host.

    cgroup v1: the host's tree is shown, and the script names the machine's place in it; v2: a namespace of its own.
    """
    host = _host_config(machine, folder, cgroup_version)
    return {
        "Image": machine.image,
        "Hostname": machine.hostname,
        "Entrypoint": ["sh", "-c", SCRIPT],
        "Cmd": [],
        "Labels": machine.labels(controller),
        "StopTimeout": STOP_GRACE_S,
        "HostConfig": host | (_PRIVILEGED if privileged else _EXPLICIT),
        "NetworkingConfig": {
            "EndpointsConfig": {machine.network: {"IPAMConfig": {"IPv4Address": machine.address}}},
        },
    }


_PRIVILEGED: dict[str, Json] = {"Privileged": True}
_EXPLICIT: dict[str, Json] = {
    "CapAdd": list(CAPABILITIES),
    "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
    "MaskedPaths": [],
    "ReadonlyPaths": [],
    "DeviceCgroupRules": ["a *:* rwm"],
}


def _host_config(machine: Machine, folder: str, cgroup_version: str) -> dict[str, Json]:
    shared_cgroups = cgroup_version == "1"
    return {
        "Init": True,
        "CgroupnsMode": "host" if shared_cgroups else "private",
        "Mounts": _mounts(machine, folder, shared_cgroups=shared_cgroups),
        "Tmpfs": {"/run": ""},
        "NetworkMode": machine.network,
        "Memory": machine.memory,
        "MemorySwap": machine.memory,
        "NanoCpus": round(machine.cpus * 1e9),
        "RestartPolicy": {"Name": "no"},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}},
    }


def _mounts(machine: Machine, folder: str, *, shared_cgroups: bool) -> list[Json]:
    mounts: list[Json] = [
        {"Type": "volume", "Source": machine.name, "Target": "/var/lib/docker"},
        {"Type": "bind", "Source": folder, "Target": FOLDER},
    ]
    if shared_cgroups:
        mounts.append({"Type": "bind", "Source": "/sys/fs/cgroup", "Target": "/sys/fs/cgroup"})
    return mounts
