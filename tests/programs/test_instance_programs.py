"""The instance programs for Terraform, clouds and Docker, as processes that are asked over their sockets
(infrakit-compat.md 1.1, 2.4)."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from skep.adapters.plugin_folder import PluginFolder
from skep.model.errors import InvalidError, UnavailableError
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup, InstanceSpec
from skep.ports import GroupPlugin
from tests.conditions import until
from tests.engines.host import HostEngine
from tests.plugins.terraform_programs import PROGRAMS
from tests.plugins.terraform_programs import bench as terraform_bench
from tests.programs.running import Bench, bench

TAGS = {"infrakit.group": "g", "infrakit.config_sha": "aB/c="}
RESOURCE = RawJson(b'{"type":"terraform_data","value":{"input":{"size":1}},"Comment":"is ignored over the wire"}')
CREDENTIALS = """{"openstack": {
    "key": "me", "secret": "no-such-secret", "ex_tenant_name": "t", "ex_domain_name": "d",
    "ex_force_auth_url": "http://127.0.0.1:1", "ex_force_auth_version": "3.x_password"
}}"""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as running:
        yield running


@pytest.fixture
async def plugins(programs: Bench) -> AsyncIterator[PluginFolder]:
    folder = PluginFolder(programs.plugins)
    yield folder
    await folder.close()


@pytest.mark.parametrize("program", PROGRAMS)
async def test_terraform_makes_describes_and_removes_a_machine(
    programs: Bench, plugins: PluginFolder, program: str
) -> None:
    made = terraform_bench(program, programs.home)
    programs.start("instance_terraform", "tf", "--dir", str(made.folder), "--program", str(made.program))
    plugin = plugins.instance("tf")
    await plugin.validate(RESOURCE)
    instance = await plugin.provision(InstanceSpec(RESOURCE, TAGS, "echo hello", "pet"))
    [found] = await plugin.describe({"infrakit.group": "g"})
    assert (found.id, found.logical_id) == (instance, "pet")
    assert found.tags.items() >= TAGS.items()
    await plugin.destroy(instance)
    assert await plugin.describe({}) == []
    assert await programs.stop("tf") == 0


@pytest.mark.parametrize("program", PROGRAMS)
async def test_terraform_finishes_what_a_plugin_that_was_killed_had_begun(
    programs: Bench, plugins: PluginFolder, program: str
) -> None:
    """The apply goes on without the plugin, and the next one waits for it: nothing is made twice or lost."""
    made, go = terraform_bench(program, programs.home), programs.home / "go"
    flags = ("--dir", str(made.folder), "--program", str(made.program))
    command = f"echo begun >>{programs.home}/begun; until test -e {go}; do sleep 0.05; done"
    value = {"input": {}, "provisioner": [{"local-exec": {"command": command}}]}
    slow = RawJson(json.dumps({"type": "terraform_data", "value": value}).encode())
    tags = {**TAGS, "skep.request": "one"}
    programs.start("instance_terraform", "tf", *flags)
    making = asyncio.create_task(plugins.instance("tf").provision(InstanceSpec(slow, tags)))
    await until(async_exists(programs.home / "begun"), True)
    programs.kill("tf")
    await asyncio.gather(making, return_exceptions=True)
    programs.start("instance_terraform", "tf", *flags)
    [found] = await plugins.instance("tf").describe({})
    go.touch()
    assert await plugins.instance("tf").provision(InstanceSpec(slow, tags)) == found.id
    assert len(await plugins.instance("tf").describe({})) == 1
    assert (programs.home / "begun").read_text() == "begun\n"


def async_exists(path: Path) -> Callable[[], Awaitable[bool]]:
    async def read() -> bool:
        return await asyncio.to_thread(path.exists)

    return read


async def test_a_group_of_logical_ids_never_doubles(programs: Bench, plugins: PluginFolder) -> None:
    """infrakit-compat.md 5.3: with InfraKit's, two wanted became nine within 8 s."""
    made = terraform_bench("fake", programs.home)
    programs.begin("group_default", "group", "--poll-interval", "100ms")
    programs.begin("flavor_vanilla", "flavor-vanilla")
    programs.start("instance_terraform", "tf", "--dir", str(made.folder), "--program", str(made.program))
    for name in ("group", "flavor-vanilla"):
        programs.wait(name)
    properties = {
        "Allocation": {"LogicalIDs": ["a", "b"]},
        "Instance": {"Plugin": "tf", "Properties": {"type": "terraform_data", "value": {"input": {"size": 1}}}},
        "Flavor": {"Plugin": "flavor-vanilla", "Properties": {"Init": ["echo hello"]}},
    }
    group = plugins.group("group")
    committed = CommittedGroup("pets", RawJson(json.dumps(properties).encode()))
    await group.commit(committed, pretend=False)
    await until(lambda: is_converged(group), True)
    assert sorted(str(item.logical_id) for item in (await group.describe("pets")).instances) == ["a", "b"]
    programs.kill("group")
    programs.start("group_default", "group", "--poll-interval", "100ms")
    await until(lambda: is_converged(group), True)
    assert len(list(made.folder.glob("instance-*"))) == 2
    await group.destroy("pets")
    assert list(made.folder.glob("instance-*")) == []
    assert made.calls("apply") == 2


async def is_converged(group: GroupPlugin) -> bool:
    return (await group.describe("pets")).converged


async def test_terraform_tells_faults_in_infrakits_words(programs: Bench, plugins: PluginFolder) -> None:
    """infrakit-compat.md 5.3."""
    made = terraform_bench("fake", programs.home)
    programs.start("instance_terraform", "tf", "--dir", str(made.folder), "--program", str(made.program))
    with pytest.raises(InvalidError, match=r'no-resource-type:\{"value":\{\}\}$'):
        await plugins.instance("tf").validate(RawJson(b'{"value":{}}'))


def test_without_a_program_terraform_says_what_is_missing(programs: Bench) -> None:
    ended = programs.run("instance_terraform", "--program", "no-such-terraform")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "found no no-such-terraform on the PATH: install Terraform or OpenTofu" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_cloud_without_credentials_says_how_they_are_given(programs: Bench) -> None:
    ended = programs.run("instance_cloud")
    assert ended.returncode == 1
    assert "set SKEP_CLOUD_PROVIDER_KEY" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_a_cloud_that_is_away_is_told_without_its_key(programs: Bench, plugins: PluginFolder) -> None:
    file = programs.home / "credentials.json"
    file.write_text(CREDENTIALS)
    file.chmod(0o600)
    programs.start("instance_cloud", "cloud", "--credentials", str(file))
    plugin = plugins.instance("cloud")
    await plugin.validate(RawJson(b'{"Provider":"openstack","Size":"s","Image":"i"}'))
    with pytest.raises(InvalidError, match="no credentials for ec2; there are some for openstack"):
        await plugin.validate(RawJson(b'{"Provider":"ec2","Size":"s","Image":"i"}'))
    with pytest.raises(UnavailableError, match=r"could not list the machines on openstack: .*refused"):
        await plugin.describe({})
    assert await programs.stop("cloud", signal.SIGINT) == 0
    assert "no-such-secret" not in programs.log("cloud")


@pytest.mark.parametrize("module", ["instance_terraform", "instance_cloud", "instance_docker"])
def test_each_says_its_version_and_its_flags(programs: Bench, module: str) -> None:
    assert programs.run(module, "version").stdout.startswith("Version: ")
    assert "--name" in programs.run(module, "--help").stdout


def test_docker_says_that_there_is_no_engine(programs: Bench) -> None:
    ended = programs.run("instance_docker", "--host", f"unix://{programs.home}/none.sock")
    assert ended.returncode == 1
    assert "none.sock" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def near(host_engine: HostEngine) -> Iterator[Bench]:
    """In a short folder, since machines' sockets have paths of at most 107 bytes."""
    home = host_engine.folder / "h"
    home.mkdir()
    with bench(home) as running:
        yield running


@pytest.mark.docker
async def test_docker_makes_describes_and_removes_a_machine(
    near: Bench, host_engine: HostEngine, node_image: str
) -> None:
    folder = PluginFolder(near.plugins)
    flags = ("--host", host_engine.endpoint, "--controller", "wired", "--image", node_image)
    near.start("instance_docker", "d", *flags)
    plugin = folder.instance("d")
    try:
        spec = InstanceSpec(RawJson(b'{"Comment":"is ignored"}'), TAGS, "docker info >/skep/told", "pet")
        instance = await plugin.provision(spec)
        assert "Server Version" in host_engine.docker("exec", instance, "cat", "/skep/told")
        [found] = await plugin.describe({"infrakit.group": "g"})
        assert (found.id, found.logical_id) == (instance, "pet")
        ended = near.run("instance_docker", "--name", "e", *flags)
        assert (ended.returncode, "by process" in ended.stderr) == (1, True)
        await plugin.destroy(instance)
        assert await plugin.describe({}) == []
    finally:
        await folder.close()
    assert await near.stop("d") == 0
    assert host_engine.docker("ps", "-aq", "--filter", "label=skep.controller=wired") == ""
