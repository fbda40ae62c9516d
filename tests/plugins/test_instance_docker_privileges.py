"""Privileged first, and explicit capabilities where the engine refuses: on a small engine that refuses as told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from skep.model.engine import Container, EngineInfo
from skep.model.errors import ConflictError, RejectedError
from skep.model.json import JsonObject
from skep.plugins.docker.containers import Containers
from skep.plugins.docker.folder import Folder
from skep.plugins.docker.machine import Machine
from tests.plugins.test_instance_docker_values import MACHINE

INFO = EngineInfo("i", "n", "28", "1.45", "Debian", "inactive", "", "", False, "", "", "2", "overlay2")
CAPS = "could not start container: OCI runtime create failed: unable to apply caps: operation not permitted"


class Clock:
    """Real sleeping is not needed: the machine's engine answers at once."""

    def monotonic_s(self) -> float:
        return 0.0

    def wall_s(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass
class EngineOf:
    """Containers by name. `refusal` is said when a privileged one is started; started machines get their socket."""

    state_dir: Path
    refusal: str = ""
    made: dict[str, Container] = field(default_factory=dict)
    bodies: list[JsonObject] = field(default_factory=list)
    endpoint: str = "unix:///x"

    def engine(self, endpoint: str) -> "EngineOf":
        return self

    async def info(self) -> EngineInfo:
        return INFO

    async def containers(self, labels: Mapping[str, str]) -> Sequence[Container]:
        return list(self.made.values())

    async def create_container(self, name: str, body: JsonObject) -> str:
        if name in self.made:
            raise ConflictError(f"{name} is in use")
        self.bodies.append(body)
        self.made[name] = Container(name, name, "i", "created", body["Labels"], 1.0)
        return name

    async def start_container(self, container: str) -> None:
        if self.refusal and "Privileged" in self.bodies[-1]["HostConfig"]:
            raise RejectedError(self.refusal)
        self.made[container] = replace(self.made[container], state="running")
        Folder.of(self.state_dir, container).socket.touch()

    async def remove_container(self, container: str) -> None:
        self.made.pop(container, None)

    @property
    def privileged(self) -> list[bool]:
        return ["Privileged" in body["HostConfig"] for body in self.bodies]


def containers(engine: EngineOf) -> Containers:
    return Containers(engine, engine, "me", engine.state_dir, Clock())


def machine(number: int) -> Machine:
    return Machine(f"skep-me-{number:012x}", "h", "i", "n", "10.0.0.0/24", f"10.0.0.{number}")


async def test_a_machine_is_privileged_where_it_may_be(tmp_path: Path) -> None:
    engine = EngineOf(tmp_path)
    made = containers(engine)
    await asyncio.gather(*(made.run(machine(number)) for number in range(3)))
    assert engine.privileged == [True, True, True]


async def test_a_refusal_is_found_out_once_and_the_container_made_anew(tmp_path: Path) -> None:
    engine = EngineOf(tmp_path, refusal=CAPS)
    made = containers(engine)
    await asyncio.gather(*(made.run(machine(number)) for number in range(3)))
    assert engine.privileged == [True, False, False, False]
    assert {item.state for item in engine.made.values()} == {"running"}


async def test_another_refusal_is_not_taken_for_one_of_privileges(tmp_path: Path) -> None:
    engine = EngineOf(tmp_path, refusal="could not start container: no space left on device")
    with pytest.raises(RejectedError, match="no space left"):
        await containers(engine).run(MACHINE)
    assert engine.privileged == [True]


async def test_a_container_that_a_crash_left_unstarted_is_made_anew(tmp_path: Path) -> None:
    engine = EngineOf(tmp_path, refusal=CAPS)
    left: JsonObject = {"Labels": MACHINE.labels("me"), "HostConfig": {"Privileged": True}}
    await engine.create_container(MACHINE.name, left)
    await containers(engine).run(MACHINE)
    assert engine.privileged == [True, True, False]
    assert engine.made[MACHINE.name].state == "running"


async def test_a_stopped_container_is_started_as_it_is(tmp_path: Path) -> None:
    engine = EngineOf(tmp_path)
    await containers(engine).run(MACHINE)
    engine.made[MACHINE.name] = replace(engine.made[MACHINE.name], state="exited")
    await containers(engine).run(MACHINE)
    assert len(engine.bodies) == 1
    assert engine.made[MACHINE.name].state == "running"
