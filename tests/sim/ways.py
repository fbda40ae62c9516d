"""The ways in which a spec may come, and how it is told that it is refused."""

import copy
import json
from typing import Any

import pytest

from skep.control.committed_groups import CommittedGroups
from skep.model.errors import RefusedError
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup
from skep.specs.source import SourceFile
from tests.sim.controller import Simulation, texts


def on(document: dict[str, Any], cluster: str) -> dict[str, Any]:
    """The same, with another cluster's name."""
    changed = copy.deepcopy(document)
    changed["Properties"]["Flavor"]["Properties"]["Cluster"] = cluster
    return changed


async def asked(sim: Simulation, way: str, *documents: dict[str, Any]) -> None:
    """By apply, by its dry run, or by InfraKit's commit of each, pretended or not."""
    assert sim.core is not None
    if way == "apply":
        return await sim.apply(*documents)
    if way == "plan":
        await sim.core.plan([SourceFile("sim", texts(documents))])
        return None
    for document in documents:
        properties = RawJson(json.dumps({k: v for k, v in document["Properties"].items() if k != "Images"}).encode())
        group = CommittedGroup(document["ID"], properties)
        await CommittedGroups(sim.core, sim.plugins, sim.clock).commit(group, pretend=way == "pretend")
    return None


WAYS = pytest.mark.parametrize("way", ["apply", "plan", "commit", "pretend"])


async def refused(sim: Simulation, way: str, words: str, *documents: dict[str, Any]) -> None:
    """And nothing is done for it."""
    before = sum(sim.world.acts.values())
    with pytest.raises(RefusedError, match=words):
        await asked(sim, way, *documents)
    await sim.clock.sleep(100)
    assert sum(sim.world.acts.values()) == before
