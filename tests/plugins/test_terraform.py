"""Machines as resources: one apply for many, none blocks the others, nothing is lost, doubled or told that is secret.

Run on a fake that says what Terraform was seen to say, and on the real programs that are found on the PATH.
"""

import asyncio
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from skep.adapters.clock import SystemClock
from skep.model.errors import InvalidError, RefusedError, RejectedError, UnavailableError
from skep.model.json import NULL, RawJson
from skep.model.state import Life
from skep.plugins.terraform import TerraformInstances
from tests.conditions import until
from tests.plugins.terraform_programs import INIT, PROGRAMS, SECRET, Bench, bench, only, provisioner, spec

FAULTY = RawJson(b'{"type":"terraform_data","value":{"inpt":{}}}')


@pytest.fixture(params=PROGRAMS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return bench(request.param, tmp_path)


@pytest.fixture
def fake(tmp_path: Path) -> Bench:
    return bench("fake", tmp_path)


def files(bench: Bench) -> list[str]:
    return sorted(path.name for path in bench.folder.glob("instance-*"))


async def test_a_machine_is_a_file_of_infrakits_layout(made: Bench) -> None:
    """infrakit-compat.md 5.3; 0600 since Init holds a join token, and the folder 0700."""
    name = await made.plugin().provision(spec("one", logical_id="pet"))
    file = made.folder / f"{name}.tf.json"
    value = json.loads(file.read_text())["resource"]["terraform_data"][name]
    assert value["input"]["size"] == "small"
    assert value["input"]["tags"]["LogicalID"] == "pet"
    modes = {path.stat().st_mode & 0o777 for path in (file, made.folder / "terraform.tfstate")}
    assert (modes, made.folder.stat().st_mode & 0o777) == ({0o600}, 0o700)


async def test_init_reaches_the_machine_as_it_was_written(made: Bench) -> None:
    """`${HOST}` in a script is for the shell and no template of Terraform's."""
    await made.plugin().provision(spec())
    state = (made.folder / "terraform.tfstate").read_text()
    assert json.dumps(INIT)[1:-1] in state


async def test_many_machines_at_once_are_one_apply(made: Bench) -> None:
    """infrakit-compat.md 5.3: InfraKit's applied without end, and lost machines whose names collided."""
    plugin = made.plugin()
    names = await asyncio.gather(*(plugin.provision(spec(str(number))) for number in range(12)))
    assert len(set(names)) == 12
    assert (made.calls("plan"), made.calls("apply")) == (1, 1)
    assert {item.life for item in await plugin.describe({})} == {Life.RUNNING}


async def test_logical_ids_are_read_back(made: Bench) -> None:
    """infrakit-compat.md 5.3: InfraKit's never were, so that a group of two grew without bound."""
    plugin = made.plugin()
    await asyncio.gather(*(plugin.provision(spec(name, logical_id=name)) for name in ("a", "b")))
    for reader in (plugin, made.plugin()):
        assert sorted(str(item.logical_id) for item in await reader.describe({"infrakit.group": "g"})) == ["a", "b"]


async def test_a_machine_that_fails_does_not_hold_up_the_others(made: Bench) -> None:
    plugin = made.plugin()
    wanted = [spec("good"), spec("faulty", FAULTY), spec("dies", provisioner("echo out of stock; exit 3"))]
    answers = await asyncio.gather(*(plugin.provision(item) for item in wanted), return_exceptions=True)
    good, faulty, dies = answers
    assert (await only(plugin)).id == good
    assert isinstance(faulty, RejectedError)
    assert 'No argument or block type is named "inpt"' in str(faulty)
    assert isinstance(dies, RejectedError)
    assert "out of stock" in str(dies)
    assert files(made) == [f"{good}.tf.json"]


async def test_nothing_is_left_of_a_machine_that_was_made_halfway(made: Bench) -> None:
    """Terraform keeps what it could not finish as tainted: it costs money, and nobody would know it."""
    with pytest.raises(RejectedError):
        await made.plugin().provision(spec("dies", provisioner("exit 1")))
    again = made.plugin()
    assert await again.describe({}) == []
    await again.provision(spec("good"))
    assert "exit 1" not in (made.folder / "terraform.tfstate").read_text()


async def test_a_request_that_failed_can_be_repeated(made: Bench) -> None:
    plugin = made.plugin()
    flag = made.folder.parent / "flag"
    wanted = spec("one", provisioner(f"test -e {flag}"))
    with pytest.raises(RejectedError):
        await plugin.provision(wanted)
    flag.touch()
    assert await plugin.provision(wanted) == (await only(plugin)).id


async def test_an_error_tells_no_init(made: Bench) -> None:
    """The provider's own words are told; the script, of which it may quote a part, is not."""
    with pytest.raises(RejectedError) as caught:
        await made.plugin().provision(spec("one", provisioner(f"echo bad token {SECRET}; exit 1")))
    assert "bad token" in str(caught.value)
    assert "topsecret" not in str(caught.value)


async def test_an_error_of_a_removal_tells_no_init(fake: Bench) -> None:
    """Clouds quote what they were given."""
    name = await fake.plugin().provision(replace(spec("one"), init="PASSWORD=correct-horse-battery\nlogin ${PASSWORD}"))
    told = {"severity": "error", "summary": "refused", "detail": "PASSWORD=correct-horse-battery login ${PASSWORD}"}
    line = json.dumps({"type": "diagnostic", "diagnostic": told | {"address": f"terraform_data.{name}"}})
    script = fake.program.read_text()
    fake.program.write_text(script.replace("\n", f"\n[ $1 != plan ] || {{ echo '{line}'; exit 1; }}\n", 1))
    with pytest.raises(RejectedError, match="refused") as caught:
        await fake.plugin().destroy(name)
    assert "horse" not in str(caught.value)
    assert "login" not in str(caught.value)


async def test_resources_of_the_user_are_left_alone(made: Bench) -> None:
    plugin = made.plugin()
    made.folder.mkdir()
    (made.folder / "main.tf.json").write_text('{"resource":{"terraform_data":{"net":{"input":"n"}}}}')
    name = await plugin.provision(spec("one"))
    assert [item.id for item in await plugin.describe({})] == [name]
    assert '"net"' not in (made.folder / "terraform.tfstate").read_text()


async def test_a_machine_that_needs_what_the_user_has_not_applied_is_refused_alone(made: Bench) -> None:
    plugin = made.plugin()
    made.folder.mkdir()
    (made.folder / "main.tf.json").write_text('{"resource":{"terraform_data":{"net":{"input":"n"}}}}')
    needs = RawJson(b'{"type":"terraform_data","value":{"input":{"net":"${terraform_data.net.id}"}}}')
    answers = await asyncio.gather(
        *(plugin.provision(item) for item in (spec("a"), spec("b", needs), spec("c"))), return_exceptions=True
    )
    assert [isinstance(answer, str) for answer in answers] == [True, False, True]
    assert isinstance(answers[1], RefusedError)
    assert "terraform_data.net" in str(answers[1])
    assert len(files(made)) == 2


async def test_a_new_process_finds_the_machines_and_repeats_no_creation(made: Bench) -> None:
    name = await made.plugin().provision(spec("one"))
    again = made.plugin()
    assert await again.provision(spec("one")) == name
    assert (await only(again)).life is Life.RUNNING
    assert made.calls("apply") == 1


async def test_what_a_process_left_undone_is_finished_by_the_next(made: Bench) -> None:
    """A file that is not in the state is a machine on the books: InfraKit's, or one that a crash cut short."""
    write_left_over(made)
    plugin = made.plugin()
    found = await only(plugin)
    assert (found.id, found.life, found.logical_id) == ("instance-1700000000", Life.PENDING, "x")
    finishing = asyncio.create_task(plugin.finish())
    await until(lambda: life(plugin), Life.RUNNING)
    finishing.cancel()


def write_left_over(bench: Bench) -> None:
    bench.folder.mkdir()
    resource = {
        "terraform_data": {"instance-1700000000": {"input": {"tags": {"LogicalID": "x", "infrakit.group": "g"}}}}
    }
    (bench.folder / "instance-1700000000.tf.json").write_text(json.dumps({"resource": resource}))


class Faltering(SystemClock):
    """A thousand times as fast, and of no use when it is asked for the first time."""

    def __init__(self) -> None:
        self.asked = 0

    def monotonic_s(self) -> float:
        self.asked += 1
        if self.asked == 1:
            raise OSError("nobody planned for this")
        return super().monotonic_s()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 1000)


async def test_a_failure_that_nobody_planned_for_does_not_end_the_finishing(fake: Bench) -> None:
    write_left_over(fake)
    plugin = TerraformInstances(fake.folder, str(fake.program), os.environ, Faltering())
    with capture_logs() as said:
        finishing = asyncio.create_task(plugin.finish())
        await until(lambda: life(fake.plugin()), Life.RUNNING)
    assert not finishing.done()
    finishing.cancel()
    assert [line["log_level"] for line in said] == ["error"]


async def life(plugin: TerraformInstances) -> Life:
    return (await only(plugin)).life


async def test_a_state_is_enough_to_find_machines(made: Bench) -> None:
    """infrakit-compat.md 7, 20: the files lie on a host that failed, the state in a shared backend."""
    name = await made.plugin().provision(spec("one", logical_id="pet"))
    (made.folder / f"{name}.tf.json").unlink()
    plugin = made.plugin()
    found = await only(plugin)
    assert (found.id, found.logical_id, found.tags) == (name, "pet", spec("one").tags)
    await plugin.destroy(name)
    assert await made.plugin().describe({}) == []


async def test_a_backend_is_set_up_when_it_is_needed(made: Bench) -> None:
    made.folder.mkdir()
    backend = '{"terraform":{"backend":{"local":{"path":"elsewhere.tfstate"}}}}'
    (made.folder / "backend.tf.json").write_text(backend)
    plugin = made.plugin()
    assert await plugin.describe({}) == []
    await plugin.provision(spec("one"))
    await plugin.provision(spec("two"))
    assert len(await plugin.describe({})) == 2
    assert (made.folder / "elsewhere.tfstate").exists()
    assert made.calls("init") == 1


async def test_a_listing_and_a_creation_may_set_up_a_backend_at_once(made: Bench) -> None:
    made.folder.mkdir()
    (made.folder / "backend.tf.json").write_text('{"terraform":{"backend":{"local":{"path":"elsewhere.tfstate"}}}}')
    plugin = made.plugin()
    async with asyncio.timeout(60):
        await asyncio.gather(plugin.describe({}), plugin.provision(spec("one")), made.plugin().describe({}))
    assert len(await plugin.describe({})) == 1


async def test_a_provider_that_can_not_be_had_fails_its_machines_only(fake: Bench) -> None:
    plugin = fake.plugin()
    other = RawJson(b'{"type":"aws_instance","value":{"ami":"a"}}')
    answers = await asyncio.gather(
        plugin.provision(spec("a")), plugin.provision(spec("b", other)), return_exceptions=True
    )
    assert isinstance(answers[0], str)
    assert "provider hashicorp/aws" in str(answers[1])
    assert files(fake) == [f"{answers[0]}.tf.json"]


async def test_a_machine_that_could_not_be_removed_stays_on_the_books_and_goes_later(fake: Bench) -> None:
    plugin = fake.plugin()
    name = await plugin.provision(spec("one"))
    faults = fake.folder / "faults.json"
    faults.write_text('{"destroy":"it is in use"}')
    with pytest.raises(RejectedError, match=r"could not remove .*it is in use"):
        await plugin.destroy(name)
    found = await only(fake.plugin())
    assert (found.id, found.life) == (name, Life.RUNNING)
    assert files(fake) == [f"{name}.tf.json.going"]  # kinds whose tags are not in the state are known by it alone
    faults.unlink()
    await fake.plugin().destroy(name)
    assert (await plugin.describe({}), files(fake)) == ([], [])


async def test_a_removal_that_was_cut_short_is_finished_by_the_next_process(fake: Bench) -> None:
    name = await fake.plugin().provision(spec("one"))
    (fake.folder / f"{name}.tf.json").rename(fake.folder / f"{name}.tf.json.going")
    plugin = fake.plugin()
    assert (await only(plugin)).id == name
    finishing = asyncio.create_task(plugin.finish())
    await until(lambda: listed(plugin), 0)
    finishing.cancel()


async def listed(plugin: TerraformInstances) -> int:
    return len(await plugin.describe({}))


async def test_a_listing_waits_for_no_apply(made: Bench) -> None:
    """infrakit-compat.md 7, 21."""
    plugin = made.plugin()
    go = made.folder.parent / "go"
    making = asyncio.create_task(plugin.provision(spec("one", provisioner(f"until test -e {go}; do sleep 0.05; done"))))
    await until(lambda: listed(plugin), 1)
    assert (await only(plugin)).life is Life.PENDING
    assert not making.done()
    go.touch()
    await making


async def test_two_processes_work_in_a_folder_one_after_the_other(made: Bench) -> None:
    plugins = [made.plugin() for _ in range(3)]
    await asyncio.gather(*(plugin.provision(spec(str(number))) for number, plugin in enumerate(plugins)))
    assert len(await plugins[0].describe({})) == 3


async def test_an_idle_listing_runs_no_program(made: Bench) -> None:
    plugin = made.plugin()
    await plugin.provision(spec("one"))
    await plugin.describe({})
    before = made.calls("state")
    for _ in range(5):
        await plugin.describe({})
    assert made.calls("state") == before


async def test_a_machine_whose_init_would_be_lost_is_refused_before_anything_runs(fake: Bench) -> None:
    with pytest.raises(RejectedError, match="resource type vsphere_virtual_machine: its Init can't be handed over"):
        await fake.plugin().provision(spec("one", RawJson(b'{"type":"vsphere_virtual_machine","value":{"a":1}}')))
    assert (fake.calls("plan"), files(fake)) == (0, [])


async def test_a_folder_that_can_not_be_made_is_named(fake: Bench) -> None:
    fake.folder.write_text("a file")
    with pytest.raises(UnavailableError, match=f"could not make the folder {fake.folder}"):
        await fake.plugin().provision(spec("one"))


@pytest.mark.parametrize("name", ["../victim", "", "instance-1/../x", ".skep-terraform"])
async def test_no_name_leads_out_of_the_folder(fake: Bench, name: str) -> None:
    await fake.plugin().destroy(name)
    assert fake.calls("plan") == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["evil.tf", ".skep-terraform"])
async def test_files_of_other_users_are_not_run(fake: Bench, name: str) -> None:
    """The default folder is /tmp, as InfraKit's: Terraform runs what it finds there, and whoever owns the folder of the
    plan could put another plan in its place."""
    plugin = fake.plugin()
    fake.folder.mkdir()
    strange = fake.folder / name
    strange.mkdir()
    os.chown(strange, 12345, 12345)
    for act in (plugin.provision(spec("one")), plugin.describe({})):
        with pytest.raises(RefusedError, match=rf"{re.escape(name)};.*--dir"):
            await act
    assert fake.calls("state") == 0
    assert list(strange.iterdir()) == []


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        (NULL, "no-properties"),
        (RawJson(b"{}"), "no-resource-type:{}"),
        (RawJson(b'{"value":{"a":1}}'), 'no-resource-type:{"value":{"a":1}}'),
        (RawJson(b'{"type":"aws_instance"}'), 'no-value:{"type":"aws_instance"}'),
        (RawJson(b'{"type":"aws_instance","value":{}}'), 'no-value:{"type":"aws_instance","value":{}}'),
        (RawJson(b'{"type":"a b","value":{"a":1}}'), "Type: must be a type of resource, such as aws_instance"),
        (RawJson(b'{"type":"a","value":[1]}'), "Value: must be an object: the arguments of the resource"),
    ],
)
async def test_missing_properties_are_told_in_infrakits_words(fake: Bench, properties: RawJson, text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        await fake.plugin().validate(properties)
    assert str(caught.value) == text


@pytest.mark.parametrize("state", [b"{", b'{"resources":[{"type":"\xff"}]}'])
async def test_a_state_that_can_not_be_read_is_told(fake: Bench, state: bytes) -> None:
    plugin = fake.plugin()
    await plugin.provision(spec("one"))
    (fake.folder / "terraform.tfstate").write_bytes(state)
    with pytest.raises(UnavailableError, match="could not read Terraform's state in"):
        await plugin.describe({})
