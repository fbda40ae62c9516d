"""Two engines to try the Engine's promises on, and what every check of them needs."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from skep.adapters.node_image import EXAMPLE_IMAGE
from skep.model.json import NULL
from skep.model.machine import InstanceSpec
from skep.ports import Engine, Engines

WITHIN_S = 90.0
SLEEP = ["sleep", "3600"]


@dataclass(frozen=True)
class Bed:
    """`manager` and `worker` are two nodes of one Swarm that hold EXAMPLE_IMAGE; at `nowhere` nobody listens.

    `image` is its ID: by a name, Swarm asks a registry first, and without one each task waits for that to fail.
    """

    engines: Engines
    manager: Engine
    worker: Engine
    image: str
    nowhere: str


Check = Callable[[Bed], Awaitable[None]]


def name() -> str:
    """No two checks share what they make."""
    return f"t-{secrets.token_hex(4)}"


def body(label: str, **more: Any) -> dict[str, Any]:
    return {"Image": EXAMPLE_IMAGE, "Cmd": SLEEP, "Entrypoint": [], "Labels": {"made-by": label, "n": "1"}, **more}


async def swarm_of_two(machines: Any, engines: Engines, nowhere: str) -> Bed:
    tags = {"infrakit.group": "engines"}
    first = await machines.provision(InstanceSpec(NULL, tags, "docker swarm init > /dev/null\n"))
    manager = engines.engine(await machines.endpoint(first))
    tokens, [node] = await manager.join_tokens(), await manager.nodes()
    join = f"docker swarm join --token {tokens.worker} {node.manager_addr}\n"
    second = await machines.provision(InstanceSpec(NULL, tags, join))
    for machine in (first, second):
        await machines.load_images(machine, [EXAMPLE_IMAGE])
    image = (await manager.image_ids())[EXAMPLE_IMAGE]
    return Bed(engines, manager, engines.engine(await machines.endpoint(second)), image, nowhere)
