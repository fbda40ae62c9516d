"""Making and starting the containers of machines: privileged where the engine lets us, else with what it takes."""

import asyncio
from pathlib import Path

from skep.model.engine import Container
from skep.model.errors import ConflictError, RejectedError, UnavailableError
from skep.plugins.docker.body import container_body
from skep.plugins.docker.folder import Folder
from skep.plugins.docker.machine import CONTROLLER_LABEL, RECORD_LABEL, Machine, machine_of
from skep.ports import Clock, Engine, Engines

BOOT_TIMEOUT_S = 60.0
"""A nested engine answers after 1 to 2 s; with ten of them on two cores after some 15."""
POLL_S = 0.05
LOOK_S = 0.5
"""How often it is asked whether a machine that starts still runs: rarely, the host's engine is busy then."""
LOG_LINES = 5

_PRIVILEGE_REFUSED = ("apply caps", "rivileged", "operation not permitted")


class Containers:
    """The containers of one controller's machines on the host's engine."""

    def __init__(self, engine: Engine, engines: Engines, controller: str, state_dir: Path, clock: Clock) -> None:
        self._engine = engine
        self._engines = engines
        self._controller = controller
        self._state_dir = state_dir
        self._clock = clock
        self._privileged: bool | None = None
        self._cgroup_version = ""
        self._finding_out = asyncio.Lock()

    async def all(self) -> dict[str, Container]:
        """By machine; those without a record (workloads of the same controller) are not machines."""
        containers = await self._engine.containers({CONTROLLER_LABEL: self._controller, RECORD_LABEL: ""})
        machines = ((machine_of(container.labels), container) for container in containers)
        return {machine.name: container for machine, container in machines if machine}

    async def find(self, name: str) -> Container | None:
        return (await self.all()).get(name)

    async def run(self, machine: Machine) -> None:
        """Make the container where it is not there, start it where it does not run, and wait for its engine.

        ConflictError when another container has the address.
        """
        folder = Folder.of(self._state_dir, machine.name)
        existing = await self.find(machine.name)
        if existing is None or existing.state != "running":
            folder.make()
            await self._start(machine, folder, existing)
        await self.await_engine(machine.name, folder)

    async def _start(self, machine: Machine, folder: Folder, existing: Container | None) -> None:
        """One that never started is made anew: it may be of the kind that the engine refuses to start."""
        if existing is not None and existing.state != "created":
            await self._engine.start_container(machine.name)
            return
        if existing is not None:
            await self._engine.remove_container(machine.name)
        async with self._finding_out:  # so that machines that boot side by side find out once
            if self._privileged is None:
                self._privileged = await self._tried_privileged(machine, folder)
        await self._create(machine, folder, privileged=self._privileged)

    async def _tried_privileged(self, machine: Machine, folder: Folder) -> bool:
        """Whether the engine starts privileged containers; if it does, the machine runs now."""
        try:
            await self._create(machine, folder, privileged=True)
        except RejectedError as error:
            if not any(part in str(error) for part in _PRIVILEGE_REFUSED):
                raise
            await self._engine.remove_container(machine.name)
            return False
        return True

    async def _create(self, machine: Machine, folder: Folder, *, privileged: bool) -> None:
        version = self._cgroup_version = self._cgroup_version or (await self._engine.info()).cgroup_version
        body = container_body(machine, self._controller, str(folder.path), version, privileged=privileged)
        try:
            await self._engine.create_container(machine.name, body)
        except ConflictError:
            if await self.find(machine.name) is None:
                raise  # the name belongs to somebody else, who keeps it (semantics.md W25)
        await self._engine.start_container(machine.name)

    async def await_engine(self, name: str, folder: Folder) -> None:
        """Until the machine's engine answers; RejectedError when the machine ends first, UnavailableError in time."""
        inner = self._engines.engine(f"unix://{folder.socket}")
        end_s = self._clock.monotonic_s() + BOOT_TIMEOUT_S
        look_s = self._clock.monotonic_s() + LOOK_S
        while (now_s := self._clock.monotonic_s()) < end_s:
            if folder.socket.exists() and await _answers(inner):
                return
            if now_s >= look_s:
                await self._check_alive(name)
                look_s = now_s + LOOK_S
            await self._clock.sleep(POLL_S)
        raise UnavailableError(f"the engine of machine {name} did not answer within {BOOT_TIMEOUT_S:g} s of its start")

    async def _check_alive(self, name: str) -> None:
        container = await self.find(name)
        if container is None or container.state not in ("created", "running", "restarting"):
            log = await self._engine.container_logs(name, LOG_LINES) if container else "it was removed"
            raise RejectedError(f"machine {name} ended while it started; its last words: {log.strip()}")


async def _answers(engine: Engine) -> bool:
    try:
        await engine.info()
    except UnavailableError:
        return False
    return True
