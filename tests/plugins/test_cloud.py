"""Machines of clouds: known by their tags alone, made once however the cloud misbehaves, nothing else touched."""

import asyncio
import inspect
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from libcloud.compute.drivers.digitalocean import DigitalOcean_v2_NodeDriver
from libcloud.compute.drivers.openstack import OpenStack_2_NodeDriver
from libcloud.compute.providers import get_driver

from skep.model.errors import InvalidError, NotFoundError, RefusedError, RejectedError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.state import Life
from skep.plugins.cloud import LAG_S, CloudInstances
from skep.plugins.cloud_account import CALLS_MAX, TRIES_MAX, credentials, open_accounts
from skep.plugins.cloud_dialects import DIALECTS, merged
from tests.fakes.cloud import DIALECT, EXAMPLE, Cloud, node

PROPERTIES = {"Provider": "dummy", "Size": "2", "Image": "img-1", "Location": "London Loft"}


class HandClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def plugin(cloud: Cloud, clock: HandClock) -> CloudInstances:
    return another(cloud, clock)


def another(cloud: Cloud, clock: HandClock) -> CloudInstances:
    """As after a restart."""
    return CloudInstances({"dummy": cloud.account(clock)}, clock)


def spec(request: str = "", logical_id: str | None = None, **more: object) -> InstanceSpec:
    tags = {"infrakit.group": "g", "infrakit.config_sha": "aB/c="} | ({"skep.request": request} if request else {})
    return InstanceSpec(RawJson(json.dumps(PROPERTIES | more).encode()), tags, "echo ran", logical_id)


async def ids(plugin: CloudInstances) -> list[str]:
    return [item.id for item in await plugin.describe({})]


async def only(plugin: CloudInstances) -> InstanceDescription:
    [found] = await plugin.describe({})
    return found


async def test_a_machine_is_made_of_what_the_properties_name(plugin: CloudInstances, cloud: Cloud) -> None:
    await plugin.provision(spec(NamePrefix="web", Options={"ex_note": "mine", "ex_metadata": {"own": "1"}}))
    [made] = cloud.nodes
    assert made.name.startswith("web-")
    assert made.extra["location"] == "London Loft"
    assert (made.extra["note"], made.extra["metadata"]["own"]) == ("mine", "1")


async def test_a_key_is_handed_over(plugin: CloudInstances, cloud: Cloud) -> None:
    await plugin.provision(spec(AuthorizedKey="ssh-ed25519 AAAA"))
    assert cloud.nodes[0].extra["key"] == "ssh-ed25519 AAAA"


async def test_a_cloud_that_goes_by_names_is_asked_for_no_choices(cloud: Cloud, clock: HandClock) -> None:
    account = cloud.account(clock, dialect=replace(DIALECT, by_name=True))
    await CloudInstances({"dummy": account}, clock).provision(spec(Size="tiny", Location="europe-west1-b"))
    assert cloud.nodes[0].extra["location"] == "europe-west1-b"


async def test_a_call_that_hangs_is_given_up(clock: HandClock) -> None:
    cloud = Cloud(hung=threading.Event())
    with pytest.raises(UnavailableError, match=r"no answer within 0\.1 s"):
        await another(cloud, clock).describe({})
    assert cloud.hung is not None
    cloud.hung.set()


async def test_tags_and_logical_id_are_read_back_by_whoever_asks(
    plugin: CloudInstances, cloud: Cloud, clock: HandClock
) -> None:
    name = await plugin.provision(spec("one", "pet"))
    for reader in (plugin, another(cloud, clock)):
        found = await only(reader)
        assert (found.id, found.logical_id, found.tags) == (name, "pet", spec("one").tags)


async def test_machines_of_others_are_neither_listed_nor_removed(plugin: CloudInstances, cloud: Cloud) -> None:
    """The dummy cloud has two machines of its own, 1 and 2."""
    for instance in ("dummy:1", "dummy:2", "other:1", "1", ""):
        await plugin.destroy(instance)
    assert await plugin.describe({}) == []
    assert cloud.calls["destroy"] == 0


async def test_a_creation_is_repeated_by_another_process_and_finds_its_machine(
    plugin: CloudInstances, cloud: Cloud, clock: HandClock
) -> None:
    assert await plugin.provision(spec("one")) == await another(cloud, clock).provision(spec("one"))
    assert cloud.calls["create"] == 1


async def test_a_request_that_comes_twice_at_once_is_one_machine(plugin: CloudInstances, cloud: Cloud) -> None:
    names = await asyncio.gather(*(plugin.provision(spec("one")) for _ in range(3)))
    assert (len(set(names)), cloud.calls["create"]) == (1, 1)


async def test_a_request_that_failed_and_comes_twice_again_is_one_machine(clock: HandClock) -> None:
    """Who waited for the one that failed, and who comes after it, wait for each other."""
    cloud = Listed(refused="no")
    plugin = another(cloud, clock)
    first, second = (asyncio.create_task(plugin.provision(spec("one"))) for _ in range(2))
    await asyncio.wait([first])
    cloud.refused = ""
    third = asyncio.create_task(plugin.provision(spec("one")))
    assert isinstance(first.exception(), RejectedError)
    assert await second == await third
    assert len(cloud.nodes) == 1


class Listed(Cloud):
    """Where a creation takes as long as somebody may look meanwhile."""

    def begin(self, call: str) -> None:
        super().begin(call)
        if call == "create" and not self.refused:
            before = self.calls["list"]
            for _ in range(20):
                time.sleep(0 if self.calls["list"] > before else 0.01)


async def test_a_creation_without_an_answer_is_looked_for(plugin: CloudInstances, cloud: Cloud) -> None:
    """The cloud made it and its answer was lost; listings do not know of it at once either."""
    cloud.lost, cloud.unseen = 1, 3
    name = await plugin.provision(spec("one"))
    assert await plugin.provision(spec("one")) == name
    assert cloud.calls["create"] == 1


async def test_a_creation_that_was_not_done_is_told(plugin: CloudInstances, cloud: Cloud) -> None:
    await ids(plugin)
    cloud.lost, cloud.unseen = 1, 50
    with pytest.raises(UnavailableError, match=r"could not make machine skep-.* on dummy: gateway timeout"):
        await plugin.provision(spec("one"))


async def test_a_listing_that_lacks_what_was_just_made_is_not_believed(plugin: CloudInstances, cloud: Cloud) -> None:
    """Or a group would make it again."""
    name = await plugin.provision(spec("one"))
    cloud.unseen = 2
    assert await ids(plugin) == [name]
    assert await plugin.provision(spec("one")) == name


async def test_a_machine_that_was_removed_behind_our_back_is_missed_in_time(
    plugin: CloudInstances, cloud: Cloud, clock: HandClock
) -> None:
    await plugin.provision(spec("one"))
    cloud.nodes.clear()
    clock.now_s += LAG_S
    assert await ids(plugin) == []


@pytest.mark.parametrize(("state", "status"), [("terminated", ""), ("unknown", "shutting-down")])
async def test_a_new_machine_that_the_cloud_has_ended_is_missed_at_once(
    plugin: CloudInstances, cloud: Cloud, state: str, status: str
) -> None:
    """And stays so when it is not listed any more, or by a part of the cloud that knows less."""
    await plugin.provision(spec("one"))
    [made] = cloud.nodes
    was, made.state, made.extra["status"] = made.state, state, status
    assert await ids(plugin) == []
    cloud.nodes.clear()
    assert await ids(plugin) == []
    made.state, made.extra["status"] = was, ""
    cloud.nodes.append(made)
    assert await ids(plugin) == []


async def test_a_new_machine_that_is_listed_without_its_tags_is_known(plugin: CloudInstances, cloud: Cloud) -> None:
    """Some clouds take tags after they have made a machine."""
    name = await plugin.provision(spec("one"))
    cloud.nodes[0].extra = {}
    assert await ids(plugin) == [name]


async def test_a_machine_that_is_still_listed_while_it_goes_is_gone_and_comes_back_if_it_stays(
    plugin: CloudInstances, cloud: Cloud, clock: HandClock
) -> None:
    name = await plugin.provision(spec("one"))
    cloud.undying = True
    await plugin.destroy(name)
    assert await ids(plugin) == []
    clock.now_s += LAG_S
    assert await ids(plugin) == [name]


async def test_of_two_machines_of_a_request_both_are_listed_and_one_is_the_answer(
    plugin: CloudInstances, cloud: Cloud, clock: HandClock
) -> None:
    """A cloud that doubles a creation: the group removes the one that is too much."""
    first = await plugin.provision(spec("one"))
    twin = node("running", dict(cloud.nodes[0].extra))
    twin.id = "999"
    cloud.nodes.append(twin)
    again = another(cloud, clock)
    assert await again.provision(spec("one")) == first
    assert await ids(again) == [first, "dummy:999"]


async def test_throttled_calls_wait_as_long_as_the_cloud_says(
    plugin: CloudInstances, cloud: Cloud, clock: HandClock
) -> None:
    cloud.throttled.update(list=2, create=1)
    await plugin.provision(spec("one"))
    assert clock.slept == [7, 7, 7]
    assert len(cloud.nodes) == 1


async def test_a_cloud_that_throttles_for_ever_is_to_be_asked_later(plugin: CloudInstances, cloud: Cloud) -> None:
    cloud.throttled.update(list=1000)
    with pytest.raises(UnavailableError, match="could not list the machines on dummy"):
        await plugin.describe({})
    assert cloud.calls["list"] == TRIES_MAX


async def test_a_cloud_that_does_not_answer_gives_no_half_list(clock: HandClock) -> None:
    """Unknown is not absent: half a list would have the rest made anew."""
    here, away = Cloud(), Cloud(away=True)
    plugin = CloudInstances({"dummy": here.account(clock), "other": away.account(clock, "other")}, clock)
    await plugin.provision(spec("one"))
    with pytest.raises(UnavailableError, match="on other: connection refused"):
        await plugin.describe({})


async def test_many_at_once_are_a_few_calls_and_few_listings(plugin: CloudInstances, cloud: Cloud) -> None:
    await asyncio.gather(*(plugin.provision(spec(str(number))) for number in range(40)))
    assert len(await ids(plugin)) == 40
    assert cloud.calls["list"] <= 3
    assert 1 <= cloud.together <= CALLS_MAX


async def test_a_refusal_is_told_in_the_clouds_words_without_secrets(plugin: CloudInstances, cloud: Cloud) -> None:
    cloud.refused = "quota exceeded:"
    with pytest.raises(RejectedError, match=r"quota exceeded: \[hidden\] \[hidden\]$"):
        await plugin.provision(spec("one"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"Size": "99"}, "dummy has no size 99; it has 1, 2, 3, 4"),
        ({"Location": "Moon"}, "dummy has no location Moon; it has 1, 2, 3"),
    ],
)
async def test_what_the_cloud_does_not_have_is_told_with_what_it_has(
    plugin: CloudInstances, given: dict[str, object], told: str
) -> None:
    with pytest.raises(RejectedError, match=told):
        await plugin.provision(spec("one", **given))


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({"Provider": "gce"}, ["Provider"]),
        ({"Options": {"name": "x", "ex_note": 1}}, ["Options.name"]),
        ({"Options": [1]}, ["Options"]),
        ({"Provider": "gce", "Options": {"image": "x"}}, ["Provider", "Options.image"]),
        ({"Size": "", "NamePrefix": "Web_1"}, ["Size", "NamePrefix"]),
    ],
)
async def test_every_fault_of_the_properties_is_told(
    plugin: CloudInstances, given: dict[str, object], paths: list[str]
) -> None:
    with pytest.raises(InvalidError) as caught:
        await plugin.validate(spec(**given).properties)
    assert sorted(fault.path for fault in caught.value.faults) == sorted(paths)


@pytest.mark.parametrize(
    ("state", "extra", "life"),
    [
        ("running", {}, Life.RUNNING),
        ("pending", {}, Life.PENDING),
        ("stopped", {}, Life.STOPPED),
        ("error", {}, Life.DEAD),
        ("unknown", {}, Life.UNKNOWN),
        ("unknown", {"status": "shutting-down"}, None),
        ("terminated", {}, None),
    ],
)
async def test_a_life_is_what_the_cloud_says(
    plugin: CloudInstances, cloud: Cloud, state: str, extra: dict[str, object], life: Life | None
) -> None:
    cloud.nodes.append(node(state, {"metadata": dict(EXAMPLE.tags), **extra}))
    assert [item.life for item in await plugin.describe({})] == ([life] if life else [])


def _as_listed(options: Mapping[str, object], provider: str) -> dict[str, object]:
    """What a driver tells of a machine that was made with these arguments."""
    names = {
        "ec2": ("tags", "ex_metadata"),
        "openstack": ("metadata", "ex_metadata"),
        "azure_arm": ("tags", "ex_tags"),
        "gce": ("labels", "ex_labels"),
    }
    if provider == "digitalocean":
        return dict(options["ex_create_attr"])  # type: ignore[call-overload, no-any-return]
    name, argument = names[provider]
    return {name: options[argument]}


VERSIONS = {"digitalocean": DigitalOcean_v2_NodeDriver, "openstack": OpenStack_2_NodeDriver}
"""Drivers that libcloud chooses by the version of the API."""


@pytest.mark.parametrize("provider", sorted(DIALECTS))
def test_arguments_are_those_of_libclouds_driver_and_tags_come_back(provider: str) -> None:
    dialect = DIALECTS[provider]
    options = dialect.options(EXAMPLE)
    driver = VERSIONS.get(provider) or get_driver(provider)
    assert set(options) | dialect.objects <= set(inspect.signature(driver.create_node).parameters)
    assert EXAMPLE.init in json.dumps(options)
    assert dialect.tags(node("running", _as_listed(options, provider))) == EXAMPLE.tags
    assert dialect.tags(node("running", {})) == {}


def test_arguments_of_the_user_are_joined_with_ours() -> None:
    given = {"ex_create_attr": {"tags": ["mine"], "ipv6": True}, "ex_user_data": "first", "networks": ["n"], "ex_x": 1}
    own = {"ex_create_attr": {"tags": ["ours"]}, "ex_user_data": "then"}
    joined = merged(given, own, frozenset({"networks"}))
    assert joined["ex_create_attr"] == {"tags": ["mine", "ours"], "ipv6": True}
    assert (joined["ex_user_data"], joined["networks"][0].id, joined["ex_x"]) == ("first\nthen", "n", 1)


def test_credentials_come_from_the_environment_and_from_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    file.write_text('{"digitalocean":{"key":"file-key"},"ec2":{"key":"a","region":"eu-west-1"}}')
    file.chmod(0o640)
    with pytest.raises(RefusedError, match="chmod 600"):
        credentials({}, file)
    file.chmod(0o600)
    environ = {"SKEP_CLOUD_DIGITALOCEAN_KEY": "env-key", "SKEP_CLOUD_AZURE_ARM_TENANT_ID": "t", "PATH": "/bin"}
    assert credentials(environ, file) == {
        "digitalocean": {"key": "env-key"},
        "ec2": {"key": "a", "region": "eu-west-1"},
        "azure_arm": {"tenant_id": "t"},
    }
    with pytest.raises(NotFoundError, match="SKEP_CLOUD_PROVIDER_KEY"):
        credentials({}, None)
    file.write_text("secret-but-broken")
    with pytest.raises(NotFoundError) as caught:
        credentials({}, file)
    assert "secret-but-broken" not in str(caught.value)


async def test_an_account_is_opened_by_libclouds_name(clock: HandClock) -> None:
    assert list(open_accounts({"digitalocean": {"key": "k"}}, clock)) == ["digitalocean"]
    given = {"key": "k", "secret": "a-secret", "ex_force_auth_url": "http://keystone.example"}
    opened = open_accounts({"openstack": given}, clock)["openstack"]
    assert await opened.call("ask", type) is OpenStack_2_NodeDriver
    opened = open_accounts({"digitalocean": {"key": "k", "hots": "h"}}, clock)["digitalocean"]
    with pytest.raises(RejectedError, match="takes other arguments"):
        await opened.nodes()
    with pytest.raises(NotFoundError, match="no provider nimbus; there are azure_arm, digitalocean"):
        open_accounts({"nimbus": {"key": "k"}}, clock)
