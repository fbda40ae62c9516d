"""Terraform's program: found, hurried, interrupted, and told in its own words without what it shows of files."""

import asyncio
import os
from pathlib import Path

import pytest

from skep.model.errors import NotFoundError, RejectedError, UnavailableError
from skep.plugins.terraform import TerraformInstances
from skep.plugins.terraform_program import Timeouts, environment, find_program, outcome
from tests.conditions import until
from tests.plugins.terraform_programs import PROGRAMS, Bench, bench, only, provisioner, spec


@pytest.fixture(params=PROGRAMS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return bench(request.param, tmp_path)


@pytest.fixture
def fake(tmp_path: Path) -> Bench:
    return bench("fake", tmp_path)


async def test_a_file_that_is_shown_in_an_error_is_not_told(made: Bench) -> None:
    """Terraform shows the lines of files that it can't read: others' Init stands there."""
    plugin = made.plugin()
    await plugin.provision(spec("one"))
    (made.folder / "broken.tf.json").write_text('{"resource": "topsecret"')
    with pytest.raises(UnavailableError) as caught:
        await made.plugin().describe({})
    assert "topsecret" not in str(caught.value)


async def test_a_program_that_crashes_is_told_in_its_words(fake: Bench) -> None:
    plugin = fake.plugin()
    fake.folder.mkdir()
    (fake.folder / "faults.json").write_text('{"apply":1}')
    with pytest.raises(RejectedError, match="panic: runtime error"):
        await plugin.provision(spec("one"))
    assert await plugin.describe({}) == []


async def test_an_apply_that_takes_too_long_is_interrupted_and_leaves_nothing(made: Bench) -> None:
    plugin = made.plugin(Timeouts(apply_s=0.5))
    with pytest.raises(RejectedError, match=r"apply did not end within 0\.5 s and was interrupted"):
        await plugin.provision(spec("one", provisioner("sleep 30")))
    assert await made.plugin().describe({}) == []


async def test_a_program_that_hangs_is_ended(fake: Bench) -> None:
    fake.program.write_text("#!/bin/sh\ntrap '' INT\nsleep 30\nsleep 30\n")
    fake.folder.mkdir()
    with pytest.raises(UnavailableError, match=r"state did not end within 0\.1 s"):
        await fake.plugin(Timeouts(read_s=0.1, end_s=0.1)).describe({})


async def test_a_program_that_is_gone_is_told(fake: Bench) -> None:
    plugin = fake.plugin()
    fake.program.unlink()
    with pytest.raises(UnavailableError, match=r"could not run .*terraform"):
        await plugin.provision(spec("one"))


async def test_what_can_not_be_finished_is_tried_again(fake: Bench) -> None:
    """Ever less often, and it stays listed with the reason."""
    name = await fake.plugin().provision(spec("one"))
    (fake.folder / f"{name}.tf.json").rename(fake.folder / f"{name}.tf.json.going")
    (fake.folder / "faults.json").write_text('{"destroy":"it is in use"}')
    clock = HandClock()
    plugin = TerraformInstances(fake.folder, str(fake.program), os.environ, clock)
    finishing = asyncio.create_task(plugin.finish())
    await until(lambda: enough(clock), True)
    finishing.cancel()
    assert [pause for pause in clock.slept if pause > 1][:3] == [120, 240, 480]
    assert "it is in use" in (await only(plugin)).detail


class HandClock:
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


async def enough(clock: HandClock) -> bool:
    return len([pause for pause in clock.slept if pause > 1]) >= 3


def test_the_first_program_that_is_there_is_taken(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path)}
    with pytest.raises(NotFoundError, match="no terraform nor tofu on the PATH"):
        find_program("", environ)
    for name in ("tofu", "terraform"):
        (tmp_path / name).touch(mode=0o700)
        assert find_program("", environ) == str(tmp_path / name)
    assert find_program("tofu", environ) == str(tmp_path / "tofu")
    with pytest.raises(NotFoundError, match="found no other"):
        find_program("other", environ)


def test_a_configuration_file_that_is_not_there_is_not_named(tmp_path: Path) -> None:
    there = tmp_path / "rc"
    there.touch()
    assert "TF_CLI_CONFIG_FILE" not in environment({"TF_CLI_CONFIG_FILE": str(tmp_path / "none")})
    assert environment({"TF_CLI_CONFIG_FILE": str(there), "TF_LOG": "trace"}).keys() & {
        "TF_CLI_CONFIG_FILE",
        "TF_LOG",
    } == {"TF_CLI_CONFIG_FILE"}


def test_what_init_prints_is_told_without_the_lines_of_files() -> None:
    """As Terraform 1.11 prints it."""
    printed = (
        "\x1b[31m╷\x1b[0m\n│ Error: Unclosed object\n│   on instance-8.tf.json line 1:\n"
        '│    1: {"resource":"topsecret"\n│ \n│ No closing brace was found.\n╵\n'
    ).encode()
    assert outcome(1, b"", printed).text == "Error: Unclosed object No closing brace was found."
