"""What is in Terraform's state: read without its lock, and again only when it may have changed."""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from skep.model.errors import UnavailableError
from skep.plugins.terraform_folder import TerraformFolder
from skep.plugins.terraform_program import NotInitialisedError, TerraformProgram
from skep.plugins.terraform_resource import Machine, of_state
from skep.ports import Clock

REMOTE_TRUST_S = 10.0
"""A state that is not in a file of this folder can change unseen: it is asked for again at every poll of a group."""

Mark = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class InState:
    """A resource that exists. `is_tainted`: making it failed halfway. `machine`: what its tags tell, if anything."""

    is_tainted: bool
    machine: Machine | None


States = Mapping[str, InState]
"""By address."""


class _Instance(msgspec.Struct):
    attributes: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)
    status: str = ""


class _Resource(msgspec.Struct):
    mode: str
    type: str
    name: str
    instances: list[_Instance] = msgspec.field(default_factory=list)
    module: str = ""


class _State(msgspec.Struct):
    resources: list[_Resource] = msgspec.field(default_factory=list)


def parsed(text: bytes) -> dict[str, InState]:
    """The resources of the root module, from a state of format 4. Of their attributes nothing but tags is kept."""
    resources = msgspec.json.decode(text, type=_State).resources if text.strip() else []
    return {
        f"{r.type}.{r.name}": InState(instance.status == "tainted", of_state(r.type, r.name, instance.attributes))
        for r in resources
        if r.mode == "managed" and not r.module
        for instance in r.instances[:1]
    }


class TerraformState:
    """The state of one folder."""

    def __init__(self, program: TerraformProgram, folder: TerraformFolder, clock: Clock) -> None:
        self._program, self._folder, self._clock = program, folder, clock
        self._reading = asyncio.Lock()
        self._seen: dict[str, InState] = {}
        self._mark: Mark | None = None
        self._seen_s = 0.0

    async def read(self, *, locked: bool = False) -> States:
        """As it is; the same reading for all who ask at once. UnavailableError while it can't be read.

        locked: the caller has the folder's lock. Others take it for an `init`, and for nothing else.
        """
        try:
            return await self._current()
        except NotInitialisedError:
            async with nullcontext(-1) if locked else self._folder.locked() as lock:
                return await self._initialised(lock)

    async def _current(self) -> States:
        async with self._reading:
            if not self._is_current():
                mark, now_s = _mark(self._folder.path), self._clock.monotonic_s()
                self._seen = await self._pulled()
                self._mark, self._seen_s = mark, now_s
        return self._seen

    async def _initialised(self, lock: int) -> States:
        """Who had the lock before may have done it."""
        with suppress(NotInitialisedError):
            return await self._current()
        self._folder.make_ready()
        outcome = await self._program.init(lock)
        if not outcome.ok:
            raise UnavailableError(f"could not set up Terraform in {self._folder.path}: {outcome.text}")
        return await self._current()

    def forget(self) -> None:
        """It has changed."""
        self._mark = None

    def _is_current(self) -> bool:
        if self._mark is None or self._mark != _mark(self._folder.path):
            return False
        is_remote = (self._folder.path / ".terraform" / "terraform.tfstate").exists()
        return not is_remote or self._clock.monotonic_s() < self._seen_s + REMOTE_TRUST_S

    async def _pulled(self) -> dict[str, InState]:
        if not self._folder.path.is_dir():
            return {}
        self._folder.check_owners()
        try:
            return parsed(await self._program.state())
        except ValueError as error:  # no JSON, or no UTF-8
            raise UnavailableError(f"could not read Terraform's state in {self._folder.path}: {error}") from error


def _mark(folder: Path) -> Mark:
    """Another one when a state in this folder, or which one is in use, may have changed."""
    own = [folder / "terraform.tfstate", folder / ".terraform" / "environment"]
    files = [*own, *sorted(folder.glob("terraform.tfstate.d/*/terraform.tfstate"))]
    return tuple((str(file), *_stat(file)) for file in files)


def _stat(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
