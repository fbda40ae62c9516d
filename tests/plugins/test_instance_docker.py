"""The docker plugin on a real engine: what only this plugin promises."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from skep.adapters.node_image import EXAMPLE_IMAGE, build_example_image
from skep.model.errors import ConflictError, InvalidError, RejectedError
from skep.model.json import RawJson
from skep.model.state import Life
from tests.conditions import until
from tests.engines.host import HostEngine
from tests.engines.machines import Machines, open_machines, spec

pytestmark = pytest.mark.docker

TOKEN = "SWMTKN-1-49nj1cmql0jkz5s954yi3oex3nedyz0fb0xx14ie39trti4wxv-8vxv8rssmk743ojnwacrr2e7c"


@pytest.fixture
async def machines(host_engine: HostEngine, node_image: str) -> AsyncIterator[Machines]:
    async with open_machines(host_engine, node_image) as made:
        yield made


async def started(made: Machines, *arguments: str, **properties: object) -> str:
    instance = await made.plugin.provision(spec(*arguments, **properties))
    await made.until_life(instance, Life.RUNNING)
    return instance


async def test_a_container_that_was_removed_is_made_again_with_its_disk(machines: Machines) -> None:
    instance = await started(machines, "one", "docker volume create kept && echo ran >>/skep/trace")
    address = await machines.address(instance)
    await machines.docker("rm", "-f", instance)
    shown = await machines.shown(instance)
    assert (shown.life, shown.detail) == (Life.STOPPED, "its container was removed; its disk is there")
    await machines.plugin.start(instance)
    await machines.until_life(instance, Life.RUNNING)
    assert [volume.name for volume in await machines.inner(instance).volumes({})] == ["kept"]
    assert (machines.folder(instance) / "trace").read_text() == "ran\n"
    assert await machines.address(instance) == address


async def test_a_machine_is_made_again_although_folder_and_network_are_gone_too(machines: Machines) -> None:
    instance = await started(machines, "one")
    await machines.docker("rm", "-f", instance)
    await machines.docker("network", "rm", f"skep-{machines.controller}")
    await asyncio.to_thread(machines.folder(instance).rename, machines.state_dir / "elsewhere")
    await machines.plugin.start(instance)
    await machines.until_life(instance, Life.RUNNING)


async def test_an_address_is_kept_over_a_restart(machines: Machines) -> None:
    first, second = await asyncio.gather(started(machines, "one"), started(machines, "two"))
    before = [await machines.address(first), await machines.address(second)]
    await machines.docker("kill", first, second)
    for instance in (second, first):
        await machines.plugin.start(instance)
    assert [await machines.address(first), await machines.address(second)] == before
    assert all(int(address.rsplit(".", 1)[1]) >= 128 for address in before)


async def test_a_logical_id_can_be_the_address(machines: Machines) -> None:
    network = {"Name": f"n-{machines.controller}", "Subnet": "10.91.0.0/24"}
    instance = await machines.plugin.provision(spec("one", logical_id="10.91.0.7", Network=network))
    assert await machines.address(instance) == "10.91.0.7"


async def test_a_logical_id_outside_the_subnet_is_refused_and_nothing_is_left(machines: Machines) -> None:
    network = {"Name": f"n-{machines.controller}", "Subnet": "10.92.0.0/24"}
    with pytest.raises(RejectedError, match=r"10\.93\.0\.7 is not in the network's subnet 10\.92\.0\.0/24"):
        await machines.plugin.provision(spec("one", logical_id="10.93.0.7", Network=network))
    assert list(await machines.plugin.describe({})) == []


async def test_an_address_that_is_taken_is_refused_for_a_logical_id_and_given_up_otherwise(machines: Machines) -> None:
    network = {"Name": f"n-{machines.controller}", "Subnet": "10.94.0.0/24"}
    first = await started(machines, "one", logical_id="10.94.0.9", Network=network)
    with pytest.raises(ConflictError):
        await machines.plugin.provision(spec("two", logical_id="10.94.0.9", Network=network))
    assert [item.id for item in await machines.plugin.describe({})] == [first]


async def test_a_subnet_that_overlaps_another_network_is_refused_by_name(machines: Machines) -> None:
    name = f"foreign-{machines.controller}"
    await machines.docker("network", "create", "--subnet", "10.95.0.0/16", name)
    try:
        with pytest.raises(InvalidError, match=rf"Network.Subnet: .* of the docker network '{name}'"):
            await machines.plugin.validate(RawJson(b'{"Network":{"Name":"mine","Subnet":"10.95.3.0/24"}}'))
    finally:
        await machines.docker("network", "rm", name)


async def test_machines_that_boot_at_once_share_one_network_that_goes_with_the_last(machines: Machines) -> None:
    name = f"skep-{machines.controller}"
    instances = await asyncio.gather(*(started(machines, str(number)) for number in range(3)))
    assert (await machines.docker("network", "ls", "-f", f"name={name}", "--format", "{{.Name}}")).split() == [name]
    assert len({await machines.address(instance) for instance in instances}) == 3
    await machines.plugin.destroy(instances[0])
    assert await machines.docker("network", "ls", "-q", "-f", f"name={name}")
    await asyncio.gather(*(machines.plugin.destroy(instance) for instance in instances[1:]))
    assert await machines.docker("network", "ls", "-q", "-f", f"name={name}") == ""
    assert await machines.docker("volume", "ls", "-q", "-f", f"label=skep.controller={machines.controller}") == ""
    assert list((machines.state_dir / "m").iterdir()) == []


async def test_two_controllers_leave_each_other_alone(
    machines: Machines, host_engine: HostEngine, node_image: str
) -> None:
    mine = await started(machines, "one")
    async with open_machines(host_engine, node_image) as theirs:
        other = await started(theirs, "one")
        assert other != mine
        assert [item.id for item in await theirs.plugin.describe({})] == [other]
        await theirs.plugin.destroy(mine)
        assert await machines.life(mine) is Life.RUNNING
        await theirs.plugin.remove_everything()
        assert list(await theirs.plugin.describe({})) == []
    assert await machines.life(mine) is Life.RUNNING


async def test_a_foreign_container_with_the_machines_name_is_never_removed(machines: Machines, node_image: str) -> None:
    instance = await machines.plugin.boot(spec("one"))
    await machines.plugin.destroy(instance)
    await machines.docker("create", "--name", instance, "--label", "owner=me", node_image, "true")
    try:
        with pytest.raises(ConflictError):
            await machines.plugin.boot(spec("one"))
        await machines.plugin.destroy(instance)
        assert await machines.docker("ps", "-aq", "-f", f"name={instance}")
    finally:
        await machines.docker("rm", instance)


async def test_an_init_that_fails_says_why_without_its_token_and_can_be_repeated(machines: Machines) -> None:
    with pytest.raises(RejectedError, match=r"Init failed with exit code 3: joining with --token \.\.\.") as caught:
        await machines.plugin.provision(spec("one", f"echo joining with --token {TOKEN}; exit 3"))
    assert TOKEN not in str(caught.value)
    (shown,) = await machines.plugin.describe({})
    assert shown.life is Life.PENDING
    assert "exit code 3" in shown.detail
    instance = await started(machines, "one", "true")
    assert instance == shown.id


async def test_a_token_in_init_is_left_nowhere(machines: Machines) -> None:
    instance = await started(machines, "one", f"echo {TOKEN}; echo --token {TOKEN} >&2")
    texts = [path.read_text() for path in machines.folder(instance).iterdir() if path.is_file()]
    assert any("SWMTKN-..." in text for text in texts)  # the log of Init is kept, redacted
    texts += [await machines.docker("inspect", instance), await machines.docker("logs", instance)]
    texts.append(await machines.docker("exec", instance, "sh", "-c", "cat /run/* 2>/dev/null; ls -R /run /skep"))
    assert TOKEN not in "".join(texts)
    assert "init.log" in texts[-1]
    assert not (machines.folder(instance) / "init").exists()


async def test_init_is_run_again_after_a_machine_died_in_the_middle_of_it(machines: Machines) -> None:
    instance = await machines.plugin.boot(spec("one"))
    script = "echo begun >>/skep/trace; [ -e /skep/go ] || sleep 1000"
    provision = asyncio.create_task(machines.plugin.provision(spec("one", script)))
    trace = machines.folder(instance) / "trace"

    async def begun() -> bool:
        return trace.exists()

    await until(begun, True)
    await machines.docker("kill", instance)
    provision.cancel()
    await asyncio.gather(provision, return_exceptions=True)
    (machines.folder(instance) / "go").touch()
    await machines.plugin.start(instance)
    await machines.until_life(instance, Life.RUNNING)
    assert trace.read_text() == "begun\nbegun\n"


async def test_tags_that_come_after_the_boot_are_described(machines: Machines) -> None:
    early = spec("one")
    instance = await machines.plugin.boot(early)
    late = dict(early.tags) | {"swarm-id": "s1"}
    await machines.plugin.provision(type(early)(early.properties, late, "", None))
    assert dict((await machines.shown(instance)).tags) == late
    assert [item.id for item in await machines.plugin.describe({"swarm-id": "s1"})] == [instance]


async def test_the_engine_takes_a_hup_and_the_machine_ends_with_it(machines: Machines) -> None:
    instance = await started(machines, "one")
    await machines.docker("exec", instance, "sh", "-c", "kill -HUP $(cat /var/run/docker.pid)")
    assert (await machines.inner(instance).info()).id
    assert await machines.life(instance) is Life.RUNNING
    await machines.docker("exec", instance, "sh", "-c", "kill $(cat /var/run/docker.pid)")
    await machines.until_life(instance, Life.STOPPED)


async def test_a_machine_that_is_stopped_politely_ends_within_its_grace(machines: Machines) -> None:
    instance = await started(machines, "one")
    async with asyncio.timeout(10):
        await machines.docker("stop", instance)
    assert await machines.docker("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", instance) == "false 0"


@pytest.mark.parametrize(("memory", "survives"), [("0", True), ("384MiB", False)])
async def test_a_memory_limit_holds_for_what_runs_inside(machines: Machines, memory: str, survives: bool) -> None:
    await build_example_image(machines.engines.engine(machines.host.endpoint))
    instance = await started(machines, "one", Memory=memory)
    await machines.plugin.load_images(instance, [EXAMPLE_IMAGE])
    inner = machines.inner(instance)
    hungry = ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=600M count=1 && echo survived"]
    body = {"Image": EXAMPLE_IMAGE, "Cmd": hungry, "HostConfig": {"NetworkMode": "none"}}
    await inner.start_container(await inner.create_container("hungry", body))

    async def state() -> str:
        return (await inner.containers({}))[0].state

    await until(state, "exited")
    assert ("survived" in await inner.container_logs("hungry", 5)) is survives


async def test_a_cpu_limit_holds_for_what_runs_inside(machines: Machines) -> None:
    instance = await started(machines, "one", Cpus=0.5)
    nested = "cat /sys/fs/cgroup/cpu$(sed -n 's/^[0-9]*:memory://p' /proc/1/cgroup)/cpu.cfs_quota_us"
    assert await machines.docker("exec", instance, "sh", "-c", nested) == "50000"
    await build_example_image(machines.engines.engine(machines.host.endpoint))
    await machines.plugin.load_images(instance, [EXAMPLE_IMAGE])
    inner = machines.inner(instance)
    body = {"Image": EXAMPLE_IMAGE, "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}}
    container = await inner.create_container("idle", body)
    await inner.start_container(container)
    within = "ls -d /sys/fs/cgroup/cpu$(sed -n 's/^[0-9]*:cpu://p' /proc/1/cgroup)/*"
    assert container in await machines.docker("exec", instance, "sh", "-c", within)


async def test_a_machine_answers_on_its_address_for_its_neighbours(machines: Machines) -> None:
    first, second = await asyncio.gather(started(machines, "one"), started(machines, "two"))
    address = await machines.address(second)
    assert "1 packets received" in await machines.docker("exec", first, "ping", "-c", "1", address)


async def test_a_node_image_that_is_missing_is_named_and_nothing_is_left(machines: Machines) -> None:
    with pytest.raises(Exception, match="nobody/node:9"):
        await machines.plugin.provision(spec("one", Image="nobody/node:9"))
    assert list(await machines.plugin.describe({})) == []
    assert await machines.docker("network", "ls", "-q", "-f", f"name=skep-{machines.controller}") == ""


async def test_a_machine_that_ends_while_it_starts_says_its_last_words(machines: Machines) -> None:
    await build_example_image(machines.engines.engine(machines.host.endpoint))
    with pytest.raises(RejectedError, match=r"ended while it started; its last words: .*dockerd"):
        await machines.plugin.boot(spec("one", Image=EXAMPLE_IMAGE))
    assert list(await machines.plugin.describe({})) == []
