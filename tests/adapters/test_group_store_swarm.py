"""The groups of a manager in a label of its Swarm, and the Swarm's word about who leads (infrakit-compat.md 3.9)."""

import asyncio
import base64
import json
import random
import zlib
from collections.abc import Awaitable, Callable, Mapping
from random import Random

import pytest

from skep.adapters.group_store_swarm import LABEL, LABEL_BYTES_MAX, SwarmGroupStore
from skep.adapters.leader_swarm import SwarmLeadership
from skep.adapters.node_image import EXAMPLE_IMAGE
from skep.model.engine import SwarmLabels
from skep.model.errors import InvalidError, RefusedError, UnavailableError
from skep.model.group_document import GroupDocument, LeaderStatus
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup
from skep.ports import Engine
from tests.contract.engine_bed import Bed, swarm_of_two
from tests.fakes.engine import FakeEngine
from tests.fakes.groups import group
from tests.sim.loop import SimClock, run
from tests.sim.world import World


def on_swarm(check: Callable[[Bed], Awaitable[None]]) -> None:
    """Run it with a Swarm of a manager and a worker."""

    async def main() -> None:
        world = World(SimClock(), Random(1))
        world.host_images[EXAMPLE_IMAGE] = "sha256:1"
        await check(await swarm_of_two(world.instances, world.engines, "sim://nowhere"))

    run(main)


async def _put(engine: Engine, *ids: str) -> None:
    store = SwarmGroupStore(engine)
    for id in ids:
        await store.change(lambda document, id=id: document.committed(group(id), "g"))  # type: ignore[misc]


async def _set_label(engine: Engine, label: str) -> None:
    found = await engine.swarm_labels()
    await engine.update_swarm_labels(found.version, {**found.labels, LABEL: label})


def _as_go(document: object) -> str:
    """Go's zlib writer flushes before it ends its stream."""
    writer = zlib.compressobj()
    text = json.dumps(document, indent=2).encode()
    return base64.b64encode(writer.compress(text) + writer.flush(zlib.Z_SYNC_FLUSH) + writer.flush()).decode()


def test_what_is_written_reads_with_plain_base64_and_zlib() -> None:
    async def check(bed: Bed) -> None:
        await _put(bed.manager, "a")
        label = (await bed.manager.swarm_labels()).labels["infrakit"]
        text = zlib.decompress(base64.b64decode(label, validate=True))
        assert json.loads(text)["Groups"]["a"]["Properties"]["ID"] == "a"

    on_swarm(check)


def test_what_infrakit_wrote_is_read_and_other_labels_stay() -> None:
    async def check(bed: Bed) -> None:
        await bed.manager.update_swarm_labels((await bed.manager.swarm_labels()).version, {"team": "x"})
        assert await SwarmGroupStore(bed.manager).load() == GroupDocument()
        spec = {"ID": "old", "Properties": {"Allocation": {"Size": 1}}}
        await _set_label(bed.manager, _as_go({"Groups": {"old": {"Plugin": "group-stateless", "Properties": spec}}}))
        await _put(bed.manager, "new")
        assert set((await SwarmGroupStore(bed.manager).load()).groups) == {"old", "new"}
        assert (await bed.manager.swarm_labels()).labels["team"] == "x"

    on_swarm(check)


def test_several_managers_that_write_at_once_lose_nothing() -> None:
    async def check(bed: Bed) -> None:
        ids = [f"{writer}{n}" for writer in "abc" for n in range(3)]
        await asyncio.gather(*(_put(bed.manager, *ids[at : at + 3]) for at in (0, 3, 6)))
        assert set((await SwarmGroupStore(bed.manager).load()).groups) == set(ids)

    on_swarm(check)


def test_many_commits_of_one_manager_do_not_get_into_each_others_way() -> None:
    async def check(bed: Bed) -> None:
        store = SwarmGroupStore(bed.manager)
        await asyncio.gather(
            *(store.change(lambda document, n=n: document.committed(group(f"g{n}"), "g")) for n in range(40))  # type: ignore[misc]
        )
        assert len((await store.load()).groups) == 40

    on_swarm(check)


class Interrupted(FakeEngine):
    """Somebody else commits a group after each of the first three readings."""

    others = 0

    async def swarm_labels(self) -> SwarmLabels:
        found = await super().swarm_labels()
        if self.others < 3:
            self.others += 1
            await _put(FakeEngine(self._net, self.endpoint), f"theirs{self.others}")
        return found


def test_what_others_stored_meanwhile_stays() -> None:
    async def check(bed: Bed) -> None:
        assert isinstance(bed.manager, FakeEngine)
        await _put(Interrupted(bed.manager._net, bed.manager.endpoint), "ours")
        assert set((await SwarmGroupStore(bed.manager).load()).groups) == {"theirs1", "theirs2", "theirs3", "ours"}

    on_swarm(check)


class Overtaken(FakeEngine):
    """Somebody else updates the Swarm between each reading and writing."""

    async def update_swarm_labels(self, version: int, labels: Mapping[str, str]) -> None:
        found = await self.swarm_labels()
        await super().update_swarm_labels(found.version, {**found.labels, "n": str(found.version)})
        await super().update_swarm_labels(version, labels)


def test_who_is_always_overtaken_gives_up() -> None:
    async def check(bed: Bed) -> None:
        assert isinstance(bed.manager, FakeEngine)
        with pytest.raises(UnavailableError, match="was changed by somebody else 10 times meanwhile"):
            await _put(Overtaken(bed.manager._net, bed.manager.endpoint), "a")
        assert LABEL not in (await bed.manager.swarm_labels()).labels

    on_swarm(check)


def test_what_a_swarm_does_not_take_is_refused_before_it_is_written() -> None:
    async def check(bed: Bed) -> None:
        await _put(bed.manager, "a")
        noise = base64.b64encode(random.Random(1).randbytes(LABEL_BYTES_MAX)).decode()
        big = CommittedGroup("big", RawJson(json.dumps({"noise": noise}).encode()))
        with pytest.raises(RefusedError, match=f"bytes, and {LABEL_BYTES_MAX} are what a Swarm takes: nothing"):
            await SwarmGroupStore(bed.manager).change(lambda document: document.committed(big, "g"))
        assert set((await SwarmGroupStore(bed.manager).load()).groups) == {"a"}

    on_swarm(check)


@pytest.mark.parametrize(
    "label",
    [
        "no base64!",
        base64.b64encode(b"no zlib").decode(),
        base64.b64encode(zlib.compress(b'{"Groups":{}}')[:-3]).decode(),
        base64.b64encode(zlib.compress(b"no json")).decode(),
        base64.b64encode(zlib.compress(bytes(65 * 1024 * 1024))).decode(),
    ],
    ids=["base64", "zlib", "cut off", "json", "too much"],
)
def test_a_label_of_somebody_else_is_told_and_left_as_it_is(label: str) -> None:
    async def check(bed: Bed) -> None:
        await _set_label(bed.manager, label)
        with pytest.raises(InvalidError, match="the label of the Swarm that keeps the groups"):
            await _put(bed.manager, "a")
        assert (await bed.manager.swarm_labels()).labels == {LABEL: label}

    on_swarm(check)


def test_the_swarms_leader_leads() -> None:
    async def check(bed: Bed) -> None:
        [node] = await bed.manager.nodes({"role": ["manager"]})
        assert await SwarmLeadership(bed.manager).status() == LeaderStatus(True, f"{node.hostname} ({node.addr})")

    on_swarm(check)


def test_a_worker_and_a_plain_engine_know_no_leader() -> None:
    async def check(bed: Bed) -> None:
        with pytest.raises(UnavailableError, match="not a swarm manager"):
            await SwarmLeadership(bed.worker).status()
        with pytest.raises(UnavailableError):
            await SwarmLeadership(bed.engines.engine(bed.nowhere)).status()

    on_swarm(check)
