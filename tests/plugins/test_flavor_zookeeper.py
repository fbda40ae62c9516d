"""Flavor zookeeper: its scripts are golden files, and its refusals are InfraKit's (infrakit-compat.md 4.3)."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from skep.model.errors import InvalidError, RejectedError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.plugins.flavor_zookeeper import ZookeeperFlavor

GOLDEN = Path(__file__).parent.parent / "data" / "flavor"
MEMBERS = ("192.168.1.200", "192.168.1.201", "192.168.1.202")
NATIVE, DOCKER = RawJson(b'{"Type": "member"}'), RawJson(b'{"Type": "member", "UseDocker": true}')
FLAVOR = ZookeeperFlavor(lenient=True)


async def script(properties: RawJson, logical_id: str = MEMBERS[1]) -> str:
    spec = InstanceSpec(logical_id=logical_id)
    return (await FLAVOR.prepare(properties, spec, Allocation(logical_ids=MEMBERS))).init


@pytest.mark.parametrize(("name", "properties"), [("zookeeper.sh", NATIVE), ("zookeeper-docker.sh", DOCKER)])
async def test_the_script_is_the_one_that_was_reviewed(name: str, properties: RawJson) -> None:
    """Written anew with SKEP_WRITE_GOLDEN=1; the difference is for the review."""
    text = await script(properties)
    if os.environ.get("SKEP_WRITE_GOLDEN"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


@pytest.mark.parametrize("name", ["zookeeper.sh", "zookeeper-docker.sh"])
def test_a_shell_understands_it(name: str) -> None:
    subprocess.run(["sh", "-n", GOLDEN / name], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "--shell=sh", GOLDEN / name], check=True)


async def test_every_member_has_its_number_and_all_servers() -> None:
    """infrakit-compat.md 4.3: from 1, in the order of the logical IDs."""
    for number, logical_id in enumerate(MEMBERS, 1):
        native = await script(NATIVE, logical_id)
        assert f"echo '{number}' > /var/lib/zookeeper/myid\n" in native
        assert all(f"server.{n}={ip}:2888:3888\n" in native for n, ip in enumerate(MEMBERS, 1))
        docker = await script(DOCKER, logical_id)
        assert f"ZOO_MY_ID={number} " in docker
        assert f"server.{number}=0.0.0.0:2888:3888;2181" in docker
        assert logical_id not in docker


async def test_an_init_that_is_there_comes_first() -> None:
    spec = InstanceSpec(init="echo first", logical_id=MEMBERS[0])
    prepared = await FLAVOR.prepare(NATIVE, spec, Allocation(logical_ids=MEMBERS))
    assert prepared.init.startswith("echo first\n#!/bin/sh\n")


@pytest.mark.parametrize(
    ("properties", "logical_ids", "text"),
    [
        (b'{"Type": "observer"}', MEMBERS, "Unrecognized node Type"),
        (b"null", MEMBERS, "Unrecognized node Type"),
        (b'{"Type": "member"}', (), "IP addresses are required as LogicalIDs for a ZooKeeper ensemble"),
        (b'{"Type": "member"}', ("a; rm -rf /",), "LogicalID a; rm -rf / is no IP address"),
        (b'{"Type": "member"}', ("10.0.0.1", "10.0.0.1"), "LogicalID 10.0.0.1 specified more than once"),
        (b'{"Type": "member"}', ("fe80::1%a;b",), "LogicalID fe80::1%a;b is no IP address"),
        (b'{"Type": "member", "UseDocker": "yes"}', MEMBERS, "UseDocker: must be true or false, not a string"),
        (b'{"type": "member", "unknown": 1}', ("10.0.0.1", "fd00::1"), ""),
    ],
)
async def test_what_is_refused_and_why(properties: bytes, logical_ids: tuple[str, ...], text: str) -> None:
    if not text:
        await FLAVOR.validate(RawJson(properties), Allocation(logical_ids=logical_ids))
        return
    with pytest.raises(InvalidError) as caught:
        await FLAVOR.validate(RawJson(properties), Allocation(logical_ids=logical_ids))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("logical_id", "text"),
    [
        (None, "Manager nodes require an assigned logical ID"),
        ("10.0.0.9", "10.0.0.9 is none of the group's LogicalIDs"),
    ],
)
async def test_a_member_needs_a_place_in_the_ensemble(logical_id: str | None, text: str) -> None:
    """InfraKit's panics for a logical ID outside the allocation."""
    with pytest.raises(RejectedError, match=text):
        await FLAVOR.prepare(NATIVE, InstanceSpec(logical_id=logical_id), Allocation(logical_ids=MEMBERS))


async def test_strictly_unknown_fields_are_refused_by_name() -> None:
    with pytest.raises(InvalidError, match="Nope: is not a field here"):
        await ZookeeperFlavor().validate(RawJson(b'{"Type": "member", "Nope": 1}'), Allocation(logical_ids=MEMBERS))
    with pytest.raises(InvalidError, match='Type: must be member, not "x"'):
        await ZookeeperFlavor().validate(RawJson(b'{"Type": "x"}'), Allocation(logical_ids=MEMBERS))


async def test_every_member_is_healthy() -> None:
    [answer] = await FLAVOR.healthy(NATIVE, [InstanceDescription("a")])
    assert answer.health is Health.HEALTHY
