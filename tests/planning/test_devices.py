"""Rights, devices and GPUs: the request bodies as golden text, and what Swarm mode can't do in words.

A privileged container can't be started on every kernel, and GPUs are on few hosts: their bodies are held here.
"""

from dataclasses import replace
from typing import Any

import pytest

from skep.model.spec import Device, Gpus
from skep.planning.container import render
from skep.planning.devices import swarm_refusal
from skep.planning.service import fingerprint
from tests.planning.test_service import SMALL, plain

FUSE = Device("/dev/fuse", "/dev/fuse")


def host_config(**change: Any) -> dict[str, Any]:
    """What is beside the restart policy that all containers have."""
    found: Any = render(replace(SMALL, **change), "web:1", "skep")["HostConfig"]
    assert found.pop("RestartPolicy") == {"Name": "no"}
    return dict(found)


def test_a_privileged_container_as_it_is_sent() -> None:
    assert host_config(privileged=True) == {"Privileged": True}


def test_devices_as_they_are_sent() -> None:
    assert host_config(devices=(FUSE, Device("/dev/sda", "/dev/xvda", "r"))) == {
        "Devices": [
            {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"},
            {"PathOnHost": "/dev/sda", "PathInContainer": "/dev/xvda", "CgroupPermissions": "r"},
        ]
    }


@pytest.mark.parametrize(
    ("gpus", "request_"),
    [
        (Gpus(-1), {"Count": -1, "DeviceIDs": None}),
        (Gpus(2), {"Count": 2, "DeviceIDs": None}),
        (Gpus(0, ("0", "GPU-3a23c669")), {"Count": 0, "DeviceIDs": ["0", "GPU-3a23c669"]}),
        (Gpus(1, (), "nvidia"), {"Driver": "nvidia", "Count": 1, "DeviceIDs": None}),
        (
            Gpus(1, (), "", ("utility", "gpu", "compute")),
            {"Count": 1, "DeviceIDs": None, "Capabilities": [["utility", "compute", "gpu"]]},
        ),
    ],
)
def test_gpus_as_docker_run_asks_for_them(gpus: Gpus, request_: dict[str, Any]) -> None:
    whole = {"Driver": "", "Capabilities": [["gpu"]], "Options": {}} | request_
    assert host_config(gpus=gpus) == {"DeviceRequests": [whole]}


def test_who_asks_for_nothing_sends_nothing() -> None:
    """So that what runs already keeps its fingerprint."""
    assert host_config() == {}


def test_each_is_a_template_of_its_own() -> None:
    """W39."""
    changes: list[dict[str, Any]] = [
        {},
        {"privileged": True},
        {"devices": (FUSE,)},
        {"devices": (replace(FUSE, permissions="r"),)},
        {"devices": (replace(FUSE, target="/dev/other"),)},
        {"gpus": Gpus(-1)},
        {"gpus": Gpus(1)},
        {"gpus": Gpus(0, ("0",))},
    ]
    prints = {fingerprint(render(replace(SMALL, **change), "web:1", "skep"), plain) for change in changes}
    assert len(prints) == len(changes)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        (
            {"privileged": True},
            "Privileged: Swarm mode has no privileged containers; run it on plain Engines, or leave the field out",
        ),
        (
            {"devices": (FUSE,)},
            "Devices: Swarm mode gives no devices to containers; run it on plain Engines, or leave the field out",
        ),
        (
            {"gpus": Gpus(-1)},
            "GPUs: Swarm mode takes no requests for GPUs; run it on plain Engines, or leave the field out",
        ),
    ],
)
def test_what_swarm_mode_can_not_do_is_told_with_its_field(change: dict[str, Any], told: str) -> None:
    assert swarm_refusal(replace(SMALL, **change)) == told


def test_each_field_that_can_not_be_is_told() -> None:
    told = swarm_refusal(replace(SMALL, privileged=True, devices=(FUSE,), gpus=Gpus(1)))
    assert [sentence.split(":")[0] for sentence in told.split("; ")[::2]] == ["Privileged", "Devices", "GPUs"]
