"""The programs that the plugin `terraform` is tried with: a fake everywhere, the real ones where they are found."""

import json
import os
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from skep.adapters.clock import SystemClock
from skep.model.json import RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.plugins.terraform import TerraformInstances
from skep.plugins.terraform_program import DEFAULT_TIMEOUTS, Timeouts

FAKE = Path(__file__).parent.parent / "fakes" / "terraform.py"
REAL = tuple(name for name in ("terraform", "tofu") if shutil.which(name))
PROGRAMS = ("fake", *(f"real-{name}" for name in REAL))
"""By how tests are called: the summary tells from it which real ones ran."""

PLAIN = RawJson(b'{"type":"terraform_data","value":{"input":{"size":"small"}}}')


SECRET = "SWMTKN-1-topsecret-abc"
INIT = f"#!/bin/sh\ndocker swarm join --token {SECRET} ${{HOST}} %{{x}}"


@dataclass(frozen=True)
class Bench:
    """A folder of machines, and a program that writes down how it was called."""

    folder: Path
    program: Path

    def plugin(self, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> TerraformInstances:
        return TerraformInstances(self.folder, str(self.program), os.environ, SystemClock(), timeouts=timeouts)

    def calls(self, verb: str) -> int:
        """How often a command ran."""
        file = self.program.parent / "calls"
        return sum(line.split()[0] == verb for line in file.read_text().splitlines()) if file.exists() else 0


def bench(program: str, folder: Path) -> Bench:
    """`program` is one of PROGRAMS."""
    name = program.removeprefix("real-")
    command = f"{sys.executable} -S {FAKE}" if program == "fake" else shutil.which(name)
    script = folder / "bin" / "terraform"
    script.parent.mkdir(parents=True)
    script.write_text(f'#!/bin/sh\necho "$@" >>{script.parent}/calls\nexec {command} "$@"\n')
    script.chmod(stat.S_IRWXU)
    return Bench(folder / "machines", script)


def spec(request: str = "", properties: RawJson = PLAIN, logical_id: str | None = None) -> InstanceSpec:
    tags = {"infrakit.group": "g", "infrakit.config_sha": "aB/c="} | ({"skep.request": request} if request else {})
    return InstanceSpec(properties, tags, INIT, logical_id)


def provisioner(command: str) -> RawJson:
    value = {"input": {}, "provisioner": [{"local-exec": {"command": command}}]}
    return RawJson(json.dumps({"type": "terraform_data", "value": value}).encode())


async def only(plugin: TerraformInstances) -> InstanceDescription:
    [found] = await plugin.describe({})
    return found
