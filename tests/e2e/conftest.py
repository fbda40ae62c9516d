"""Skeps for the tests in this folder. All are on the session's one engine; each has its own name and network."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.skep import Skep
from tests.e2e.specs import QUICKSTART_CENSUS, quickstart
from tests.e2e.waiting import eventually, phase
from tests.e2e.world import World
from tests.engines.host import HostEngine

MakeSkep = Callable[[], Skep]


@pytest.fixture(scope="session")
def make_skep(host_engine: HostEngine, node_image: str) -> Iterator[MakeSkep]:
    """Makes skeps that serve, each with a subnet of its own; all are removed in the end."""
    subnets = iter(random.sample([f"10.{x}.{y}" for x in range(32, 200) for y in range(256)], 1000))
    with ExitStack() as stack:

        def make() -> Skep:
            skep = Skep(host_engine, next(subnets))
            stack.callback(skep.remove)
            skep.start()
            skep.run("image", "example")
            return skep

        yield make


@pytest.fixture(scope="session")
def shared_world(make_skep: MakeSkep) -> World:
    """The quickstart's cluster, made once for all tests that leave it as they found it."""
    skep = make_skep()
    with phase("quickstart: apply to 3 Ready and 5 running"):
        skep.apply(quickstart(skep))
    return World(skep)


@pytest.fixture
def world(shared_world: World) -> World:
    """The same, as the quickstart says whatever an earlier test did to it."""
    skep = shared_world.skep
    if skep.server is None:
        skep.start()
    skep.apply(quickstart(skep))
    eventually(shared_world.census, QUICKSTART_CENSUS)
    return shared_world
