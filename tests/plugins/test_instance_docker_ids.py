"""Logical IDs that are no addresses of the machines' network are refused when a spec is checked, by their path."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from skep.control.validate import Validator
from skep.model.engine import Network
from skep.model.errors import InvalidError
from skep.plugins.docker.instances import DockerInstances
from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.plugins.registry import PluginRegistry
from skep.ports import Engine, Engines
from skep.specs.source import SourceFile, parse
from tests.sim.loop import SimClock

GIVEN = {"Name": "skep", "Subnet": "10.20.0.0/24"}
OUTSIDE = "Properties.Allocation.LogicalIDs[1]: 10.99.0.1 is not in the network's subnet {}"


class Bridges:
    """An engine that is asked for nothing but its networks."""

    def __init__(self, *networks: Network) -> None:
        self._networks = networks

    async def networks(self) -> Sequence[Network]:
        return self._networks


async def _image() -> str:
    return "skep/node:1"


async def _faults(folder: Path, network: object, *ids: str, there: Sequence[Network] = ()) -> list[str]:
    engine = cast("Engine", Bridges(*there))
    docker = DockerInstances(engine, cast("Engines", None), "me", folder, _image, SimClock(), lambda: ())
    plugins = PluginRegistry({"instance-docker": docker}, {"flavor-vanilla": VanillaFlavor()})
    instance = {"Plugin": "instance-docker", "Properties": {"Network": network}}
    properties = {"Allocation": {"LogicalIDs": ids}, "Instance": instance, "Flavor": {"Plugin": "flavor-vanilla"}}
    parsed = parse([SourceFile("g", json.dumps({"ID": "g", "Properties": properties}))])
    try:
        await Validator(plugins).check(parsed)
    except InvalidError as error:
        return [f"{fault.path}: {fault.message}" for fault in error.faults]
    return []


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (("10.20.0.5", "10.99.0.1", "m1"), [OUTSIDE.format("10.20.0.0/24")]),
        (("10.20.0.5", "10.20.0.6", "m1"), []),
        (
            ("10.20.0.1",),
            [
                "Properties.Allocation.LogicalIDs[0]: "
                "10.20.0.1 is the network, gateway or broadcast address of 10.20.0.0/24"
            ],
        ),
    ],
)
async def test_an_address_that_no_machine_can_have_is_refused(
    tmp_path: Path, ids: tuple[str, ...], told: list[str]
) -> None:
    assert await _faults(tmp_path, GIVEN, *ids) == told


async def test_without_a_subnet_that_of_the_network_counts_once_it_is_there(tmp_path: Path) -> None:
    """Another group's spec may give it one until then."""
    network, ids = {"Name": "skep"}, ("10.21.0.5", "10.99.0.1")
    there = [Network("f" * 64, "skep", {}, "bridge", ("10.21.0.0/24",))]
    assert await _faults(tmp_path, network, *ids) == []
    assert await _faults(tmp_path, network, *ids, there=there) == [OUTSIDE.format("10.21.0.0/24")]
