"""The folder of the plugin `terraform`: what lies in it while Terraform and other processes work there too."""

import asyncio
import os
from pathlib import Path

from skep.adapters.clock import SystemClock
from skep.plugins.terraform_folder import TerraformFolder, names_of_others


def test_what_is_gone_since_it_was_listed_is_nobodys(tmp_path: Path) -> None:
    """Terraform makes and removes its lock at any moment."""
    lock, ours = tmp_path / ".terraform.tfstate.lock.info", tmp_path / "main.tf"
    lock.touch()
    ours.touch()
    listed = list(os.scandir(tmp_path))
    lock.unlink()
    assert names_of_others(listed) == []


async def test_a_plan_of_a_killed_process_goes_with_the_next_lock(tmp_path: Path) -> None:
    """It holds join tokens."""
    folder = TerraformFolder(tmp_path, SystemClock())
    plan = tmp_path / ".skep-terraform" / "plan-killed" / "plan"
    plan.parent.mkdir(parents=True)
    plan.write_text("SWMTKN-1-x")
    kept = tmp_path / ".skep-terraform" / "lock", tmp_path / "instance-1.tf.json"
    for file in kept:
        file.touch()
    async with folder.locked():
        pass
    assert files_in(tmp_path) == set(kept)
    assert not plan.parent.exists()


def files_in(folder: Path) -> set[Path]:
    return {file for file in folder.rglob("*") if file.is_file()}


class Waited(SystemClock):
    """Tells that somebody has to wait."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asked.set()
        await super().sleep(seconds)


async def test_a_plan_of_a_process_that_works_is_left_alone(tmp_path: Path) -> None:
    clock = Waited()
    ours, other = TerraformFolder(tmp_path, SystemClock()), TerraformFolder(tmp_path, clock)

    async def work() -> None:
        async with other.locked():
            pass

    async with ours.locked():
        with ours.plan_file() as plan:
            plan.touch()
            waiting = asyncio.create_task(work())
            async with asyncio.timeout(30):
                await clock.asked.wait()
            assert plan.exists()
    await waiting
