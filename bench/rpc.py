"""How fast plugins are over sockets: 500 machines through three programs, and the calls of one.

Run with `.venv/bin/python -m bench.rpc [ROUNDS]`. Exits 1 when a median is above its limit.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from bench.group import told, until
from skep.adapters.plugin_folder import PluginFolder
from skep.model.json import RawJson
from skep.model.machine import CommittedGroup, InstanceSpec
from skep.model.spec import Allocation

ROUNDS = 5
MANY = 500
EXIST_S_MAX = 1.5
CALLS, AT_ONCE = 3000, 64

GROUP, FLAVOR, INSTANCE = "group", "flavor-vanilla", "instance-file"
PROGRAMS = {GROUP: "infrakit-group-default", FLAVOR: "infrakit-flavor-vanilla", INSTANCE: "infrakit-instance-file"}
QUIET = "--log=2"

PROPERTIES = {
    "Allocation": {"Size": MANY},
    "Instance": {"Plugin": INSTANCE, "Properties": {"Note": "Instance properties version 1.0"}},
    "Flavor": {"Plugin": FLAVOR, "Properties": {"Init": ["docker pull nginx:alpine"], "Tags": {"tier": "web"}}},
}
TICKS_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Place:
    """Programs that run, and how they are called. `machines` is where the file plugin's machines are."""

    plugins: PluginFolder
    machines: Path
    pids: dict[str, int]

    def cpu_s(self, name: str) -> float:
        """CPU that a program has used."""
        fields = Path(f"/proc/{self.pids[name]}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_S

    def there(self) -> int:
        """How many machines there are, as anybody can see."""
        return sum(entry.name.startswith("instance-") for entry in os.scandir(self.machines))


@asynccontextmanager
async def running(*names: str) -> AsyncIterator[Place]:
    """These programs in a folder of their own, until the end."""
    with tempfile.TemporaryDirectory() as name:
        home, machines = Path(name), Path(name) / "machines"
        machines.mkdir()
        folder = home / "plugins"
        environ = os.environ | {"HOME": name, "INFRAKIT_PLUGINS_DIR": str(folder)}
        more = {INSTANCE: ["--dir", str(machines)], GROUP: ["--state-dir", str(home / "state")]}
        programs = Path(sys.executable).parent
        processes = {
            one: await asyncio.create_subprocess_exec(programs / PROGRAMS[one], QUIET, *more.get(one, ()), env=environ)
            for one in names
        }
        plugins = PluginFolder(folder)
        try:
            await until(lambda: _all_there(folder, names), "sockets of all programs")
            yield Place(plugins, machines, {one: process.pid for one, process in processes.items()})
        finally:
            await plugins.close()
            for process in processes.values():
                process.terminate()
            for process in processes.values():
                await process.wait()


async def _all_there(folder: Path, names: Sequence[str]) -> bool:
    return all((folder / one).exists() for one in names)


async def existing() -> tuple[float, dict[str, float]]:
    """Seconds from the commit until all machines exist, and the CPU of each program meanwhile."""
    async with running(*PROGRAMS) as place:
        group = place.plugins.group(GROUP)
        await group.inspect()  # it has started
        before = {one: place.cpu_s(one) for one in PROGRAMS}

        async def all_there() -> bool:
            return place.there() == MANY

        began_s = time.monotonic()
        await group.commit(CommittedGroup("many", RawJson(json.dumps(PROPERTIES).encode())), pretend=False)
        await until(all_there, f"{MANY} files")
        took_s = time.monotonic() - began_s
        return took_s, {one: place.cpu_s(one) - before[one] for one in PROGRAMS}


@dataclass(frozen=True)
class Calls:
    """How fast the calls of one plugin were. CPU for each call: the plugin's, and ours."""

    per_s: float
    plugin_s: float
    client_s: float


async def calling() -> Calls:
    """A flavor is asked to prepare a machine, by many at once: the whole spec there and back."""
    async with running(FLAVOR) as place:
        flavor = place.plugins.flavor(FLAVOR)
        properties = RawJson(json.dumps(PROPERTIES["Flavor"]["Properties"]).encode())  # type: ignore[index]
        spec = InstanceSpec(properties, {"infrakit.group": "many", "infrakit.config_sha": "x" * 28})
        allocation = Allocation(size=MANY)

        async def some(count: int) -> None:
            for _ in range(count):
                await flavor.prepare(properties, spec, allocation)

        await some(10)
        plugin_s, client_s, began_s = place.cpu_s(FLAVOR), time.process_time(), time.monotonic()
        await asyncio.gather(*(some(CALLS // AT_ONCE) for _ in range(AT_ONCE)))
        count = CALLS // AT_ONCE * AT_ONCE
        return Calls(
            count / (time.monotonic() - began_s),
            (place.cpu_s(FLAVOR) - plugin_s) / count,
            (time.process_time() - client_s) / count,
        )


def main() -> int:
    """Measure and say whether it holds."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    exist, calls = [], []
    for _ in range(rounds):
        exist.append(asyncio.run(existing()))
        calls.append(asyncio.run(calling()))
    held = told(f"{MANY} machines exist after the commit", [took_s for took_s, _ in exist], EXIST_S_MAX)
    for one, program in PROGRAMS.items():
        print(f"CPU of {program} meanwhile: {statistics.median(cpu[one] for _, cpu in exist) * 1000:.0f} ms")
    print(f"calls a second of one plugin, {AT_ONCE} at once: {statistics.median(c.per_s for c in calls):.0f}")
    print(f"CPU of the plugin for each call: {statistics.median(c.plugin_s for c in calls) * 1e6:.0f} us")
    print(f"CPU of the client for each call: {statistics.median(c.client_s for c in calls) * 1e6:.0f} us")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
