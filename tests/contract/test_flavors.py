"""What every flavor promises (ports.FlavorPlugin; infrakit-compat.md 2.4): in this process, and behind a socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from skep.adapters.clock import SystemClock
from skep.adapters.plugin_folder import PluginFolder
from skep.model.errors import InvalidError
from skep.model.json import NULL, RawJson
from skep.model.machine import Attachment, InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Health, Phase
from skep.plugins.flavor_combo import ComboFlavor
from skep.plugins.flavor_swarm import SwarmFlavor
from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.plugins.flavor_zookeeper import ZookeeperFlavor
from skep.plugins.registry import PluginRegistry
from skep.ports import DrainRequest, FlavorPlugin
from skep.server.plugin_socket import answer_on, plugin_socket
from skep.server.rpc import rpc_app
from skep.server.rpc_services import flavor_methods
from tests.fakes.clusters import FakeClusters
from tests.fakes.kernel import QUICK
from tests.sim.world import World

IDS = ("10.1.0.1", "10.1.0.2", "10.1.0.3")
PETS = Allocation(logical_ids=IDS)
SPEC = InstanceSpec(
    RawJson(b'{"Box":"x"}'), {"infrakit.group": "m", "z": "0"}, "echo BASE", IDS[0], (Attachment("a", "t"),)
)
STRANGER = InstanceDescription("i-1", IDS[1], {"infrakit.group": "m"})


@dataclass(frozen=True)
class Kind:
    """A flavor, properties that it takes and such as it refuses, and what it says of a machine that it never saw."""

    name: str
    make: Callable[[bool], FlavorPlugin]
    good: RawJson
    bad: RawJson
    stranger: Health = Health.HEALTHY


def vanilla(lenient: bool) -> FlavorPlugin:
    return VanillaFlavor(lenient=lenient)


def swarm(lenient: bool) -> FlavorPlugin:
    """Its cluster is one that is still to be founded, by the first of the logical IDs."""
    world = World(SystemClock(), Random(1), timings=QUICK)
    clusters = FakeClusters(world.instances, world.engines)
    clusters.expect("m", IDS[0])
    return SwarmFlavor(clusters, world.engines, SystemClock(), lenient=lenient)


def zookeeper(lenient: bool) -> FlavorPlugin:
    return ZookeeperFlavor(lenient=lenient)


def combo(lenient: bool) -> FlavorPlugin:
    others = {"vanilla": vanilla(lenient), "zookeeper": zookeeper(lenient), "swarm": swarm(lenient)}
    return ComboFlavor(PluginRegistry({}, others), lenient=lenient)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("vanilla", vanilla, RawJson(b'{"Init":["echo two"]}'), RawJson(b'{"Init":1}')),
        Kind("swarm", swarm, RawJson(b'{"Type":"manager"}'), RawJson(b'{"Type":"boss"}'), Health.UNKNOWN),
        Kind("zookeeper", zookeeper, RawJson(b'{"Type":"member"}'), RawJson(b'{"Type":"boss"}')),
        Kind(
            "combo",
            combo,
            RawJson(
                b'{"Flavors":[{"Plugin":"vanilla","Properties":{"Init":["echo two"]}},'
                b'{"Plugin":"flavor-zookeeper","Properties":{"Type":"member"}},'
                b'{"Plugin":"flavor-swarm","Properties":{"Type":"manager"}}]}'
            ),
            RawJson(b'{"Flavors":[{"Plugin":"vanilla","Properties":{"Init":1}}]}'),
            Health.UNKNOWN,
        ),
    )
}


@asynccontextmanager
async def within(kind: Kind, folder: Path) -> AsyncIterator[FlavorPlugin]:
    yield kind.make(False)


@asynccontextmanager
async def behind_a_socket(kind: Kind, folder: Path) -> AsyncIterator[FlavorPlugin]:
    stop, plugins, name = asyncio.Event(), PluginFolder(folder), f"flavor-{kind.name}"
    with plugin_socket(name, folder) as listener:
        app = rpc_app(flavor_methods(kind.make(True)))
        server = asyncio.create_task(answer_on(listener, app, stop))
        try:
            yield plugins.flavor(name)
        finally:
            await plugins.close()
            stop.set()
            await server


Way = Callable[[Kind, Path], contextlib.AbstractAsyncContextManager[FlavorPlugin]]


@pytest.fixture(params=KINDS.values(), ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    given: Kind = request.param
    return given


@pytest.fixture(params=[within, behind_a_socket], ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Way:
    given: Way = request.param
    return given


async def test_properties_are_validated(kind: Kind, way: Way, tmp_path: Path) -> None:
    async with way(kind, tmp_path) as flavor:
        await flavor.validate(kind.good, PETS)
        with pytest.raises(InvalidError):
            await flavor.validate(kind.bad, PETS)


async def test_fields_that_are_not_known_are_refused_here_and_ignored_over_the_wire(
    kind: Kind, way: Way, tmp_path: Path
) -> None:
    """infrakit-compat.md 1.3."""
    unknown = RawJson(kind.good[:-1] + b',"Unknown":1}')
    async with way(kind, tmp_path) as flavor:
        if way is behind_a_socket:
            await flavor.validate(unknown, PETS)
        else:
            with pytest.raises(InvalidError, match="Unknown: is not a field here"):
                await flavor.validate(unknown, PETS)


async def test_what_a_machine_has_already_is_kept(kind: Kind, way: Way, tmp_path: Path) -> None:
    """The whole spec, replaces the input (infrakit-compat.md 2.4): what is there is kept, and none of it doubled."""
    async with way(kind, tmp_path) as flavor:
        prepared = await flavor.prepare(kind.good, SPEC, PETS)
        assert (prepared.properties, prepared.logical_id) == (SPEC.properties, SPEC.logical_id)
        assert prepared.tags.items() >= SPEC.tags.items()
        assert prepared.attachments == SPEC.attachments
        assert prepared.init.splitlines().count("echo BASE") == 1
        assert len(prepared.init) > len(SPEC.init)


async def test_null_tags_attachments_and_properties_stop_nobody(kind: Kind, way: Way, tmp_path: Path) -> None:
    """infrakit-compat.md 4.1: a spec with null Tags crashed InfraKit's swarm flavor, and null properties every one."""
    async with way(kind, tmp_path) as flavor:
        bare = InstanceSpec(logical_id=IDS[0], tags={"infrakit.group": "m"} if kind.name in ("swarm", "combo") else {})
        assert (await flavor.prepare(kind.good, bare, PETS)).init
        with contextlib.suppress(InvalidError):
            await flavor.validate(NULL, PETS)


async def test_every_machine_gets_an_answer_in_order(kind: Kind, way: Way, tmp_path: Path) -> None:
    async with way(kind, tmp_path) as flavor:
        others = [InstanceDescription(f"i-{number}", id, {"infrakit.group": "m"}) for number, id in enumerate(IDS)]
        answers = await flavor.healthy(kind.good, others)
        assert [answer.health for answer in answers] == [kind.stranger] * 3
        assert list(await flavor.healthy(kind.good, [])) == []


async def test_to_leave_what_one_is_not_in_is_success(kind: Kind, way: Way, tmp_path: Path) -> None:
    async def advance(phase: Phase) -> None:
        raise AssertionError("there is nothing to do")

    async with way(kind, tmp_path) as flavor:
        for _ in range(2):
            await flavor.drain(kind.good, STRANGER, DrainRequest(), advance)
