"""Groups that InfraKit made go on under skep as they are, by the hashes of infrakit-compat.md 3.3 (G11)."""

import json
from pathlib import Path

import pytest

from skep.model.json import RawJson
from skep.model.machine import CommittedGroup
from tests.fakes.foreign import tagged
from tests.infrakit.site import Site, simulated
from tests.planning.test_confighash import CATTLE, DATA

NUMBERS = """{"ID":"g1","Properties":{"Instance":{"Plugin":"instance-file",
 "Properties":{"n":1e6,"big":12345678901234567890,"html":"<&>"}},
 "Flavor":{"Plugin":"flavor-vanilla","Properties":{"Init":["a","b"],"Tags":{"t":"v"}}},"Allocation":{"Size":2}}}"""


def read(name: str) -> str:
    return Path(DATA / name).read_text()


def committed(text: str) -> CommittedGroup:
    """The properties as they are written: hashes depend on how numbers are spelled."""
    start = text.index("{", text.index('"Properties"'))
    return CommittedGroup(json.loads(text)["ID"], RawJson(text[start : text.rindex("}")].strip().encode()))


GROUPS = [
    (json.dumps(CATTLE), [None] * 5, "006438mMXW8gXeYtUxgf9Zbg94Y=", "Noop"),
    (
        read("swarm-vagrant-manager.json"),
        ["192.168.2.200"],
        "oEztfTbk_UCCPGqL1EnCjNhXEV0=",
        "Performing a rolling update on 1 instances",
    ),
    (read("swarm-vagrant-workers.json"), [None], "skPXP1SjlgNBuVkZN4rDhwVfCIQ=", "Noop"),
    (NUMBERS, [None] * 2, "g34ZSncpHwUCTxklP1Qx7D_-6NE=", "Noop"),
]


@pytest.mark.parametrize(("text", "slots", "sha", "again"), GROUPS)
def test_a_running_group_is_taken_over_and_nothing_is_rolled(
    text: str, slots: list[str | None], sha: str, again: str
) -> None:
    """Not by a second commit either, whatever its text says of logical IDs (infrakit-compat.md 3.2)."""

    async def body(site: Site) -> None:
        group = committed(text)
        for slot in slots:
            site.instances.add(tagged(group.id, sha, slot))
        site.serve_as(group)
        there = dict(site.instances.machines)
        assert await site.groups.commit(group, pretend=False) == f"Managing {len(slots)} instances"
        await site.clock.sleep(60.0)
        assert (await site.groups.describe(group.id)).converged
        assert await site.groups.commit(group, pretend=False) == again
        await site.clock.sleep(60.0)
        assert (site.instances.machines, site.instances.attempts) == (there, [])

    simulated(body)


@pytest.mark.parametrize(("text", "slots", "sha", "again"), GROUPS)
def test_machines_of_another_spec_are_rolled(text: str, slots: list[str | None], sha: str, again: str) -> None:
    async def body(site: Site) -> None:
        group, count = committed(text), len(slots)
        for slot in slots:
            site.instances.add(tagged(group.id, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", slot))
        site.serve_as(group)
        told = f"Managing {count} instances, then performing a rolling update on {count} instances"
        assert await site.groups.commit(group, pretend=True) == told
        assert await site.groups.commit(group, pretend=False) == told
        await site.clock.sleep(60.0)
        assert (await site.groups.describe(group.id)).converged
        assert site.instances.hashes == {sha: count}

    simulated(body)
