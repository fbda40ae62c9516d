"""Instance plugin `terraform`: a machine is a resource in a file of its own (infrakit-compat.md 5.3).

For all that Terraform or OpenTofu have a provider for. What InfraKit's did wrong and this one does not: names collided
within a second, an apply without end, logical IDs that were never read back (infrakit-compat.md 5.3, 7: 16, 20, 21).
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from skep.model.errors import BugError, Fault, InvalidError, SkepError
from skep.model.json import NULL, RawJson
from skep.model.machine import InstanceDescription, InstanceSpec
from skep.model.state import Life
from skep.plugins.request import REQUEST_TAG, numbered_name
from skep.plugins.terraform_batch import Act, Batches, Job
from skep.plugins.terraform_folder import NAME, Kept, TerraformFolder
from skep.plugins.terraform_program import DEFAULT_TIMEOUTS, TerraformProgram, Timeouts
from skep.plugins.terraform_resource import Wanted
from skep.plugins.terraform_state import InState, States, TerraformState
from skep.ports import Clock
from skep.specs.properties import Properties, RawProperties, read

log = structlog.get_logger()

GATHER_S = 0.05
"""What is asked for within this time is one apply: a group asks for its machines at the same moment."""
FINISH_PAUSE_S = 60.0
FINISH_PAUSE_MAX_S = 3600.0
"""What an earlier process has begun is tried again, ever less often: each try asks the cloud."""

_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class _Terraform(Properties):
    """Both are required; what is missing is told in InfraKit's words."""

    type: str = ""
    value: RawProperties = "null"


@dataclass(frozen=True, slots=True)
class _Asked:
    job: Job
    done: "asyncio.Future[None]"


class TerraformInstances:
    """Implements ports.InstancePlugin. One worker carries out what is asked for, as much as there is at once."""

    def __init__(
        self,
        folder: Path,
        program: str,
        environ: Mapping[str, str],
        clock: Clock,
        *,
        lenient: bool = False,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        """program: the path of terraform or tofu. The folder is a root module, and may hold files of the user's:
        providers, a backend, networks. lenient: unknown properties are ignored, as over InfraKit's wire."""
        self._lenient = lenient
        self._folder, self._clock = TerraformFolder(folder, clock), clock
        commands = TerraformProgram(program, folder, environ, timeouts)
        self._state = TerraformState(commands, self._folder, clock)
        self._batches = Batches(self._folder, commands, self._state)
        self._waiting: list[_Asked] = []
        self._last: dict[str, _Asked] = {}
        self._worker: asyncio.Task[None] | None = None
        self._failures: dict[str, str] = {}

    async def validate(self, properties: RawJson) -> None:
        wanted_of(properties, lenient=self._lenient)

    async def provision(self, spec: InstanceSpec) -> str:
        """Returns when the resource is in the state. RejectedError has the end of what Terraform said."""
        wanted = wanted_of(spec.properties, lenient=self._lenient)
        name = numbered_name("instance", spec.tags.get(REQUEST_TAG, ""))
        await self._ask(Job(Act.MAKE, name, wanted, spec))
        return name

    async def destroy(self, instance: str) -> None:
        """A machine that could not be removed stays listed. What can't be the name of one is none."""
        if NAME.fullmatch(instance):
            await self._ask(Job(Act.REMOVE, instance))

    async def describe(self, tags: Mapping[str, str]) -> Sequence[InstanceDescription]:
        """From the files, and from the state for what is in it. Nothing that runs is waited for."""
        kept, states = self._folder.machines(), await self._state.read()
        self._failures = {name: text for name, text in self._failures.items() if name in kept}
        found = [self._description(item, states.get(item.machine.address)) for item in kept.values()]
        found += [_elsewhere(s) for s in states.values() if s.machine is not None and s.machine.name not in kept]
        return [item for item in found if item is not None and tags.items() <= item.tags.items()]

    def _description(self, kept: Kept, there: InState | None) -> InstanceDescription | None:
        if kept.going and there is None:
            return None
        machine = kept.machine
        life = Life.PENDING if there is None or there.is_tainted else Life.RUNNING
        detail = self._failures.get(machine.name, "" if there is not None else "it is not in Terraform's state yet")
        return InstanceDescription(machine.name, machine.logical_id, machine.tags, life, kept.created_s, detail)

    async def finish(self) -> None:
        """Until cancelled: complete what is in files and not in the state, and remove what is half removed."""
        pause_s = FINISH_PAUSE_S
        while True:
            try:
                is_well = await self._finished()
            except SkepError as error:
                log.warning("could not look for unfinished machines", error=str(error))
                is_well = False
            except Exception:
                log.exception("looking for unfinished machines failed in a way that nobody planned for")
                is_well = False
            pause_s = FINISH_PAUSE_S if is_well else min(2 * pause_s, FINISH_PAUSE_MAX_S)
            await self._clock.sleep(pause_s)

    async def _finished(self) -> bool:
        """Whether nothing is left undone."""
        kept, states = self._folder.machines(), await self._state.read()
        undone = [name for name, item in kept.items() if name not in self._last and _is_undone(item, states)]
        answers = await asyncio.gather(*(self._ask(Job(Act.FINISH, name)) for name in undone), return_exceptions=True)
        return not any(answers)

    # --- the worker -----------------------------------------------------------------------------------------------

    async def _ask(self, job: Job) -> None:
        """Until it is done; whoever asks for what was asked for last shares its answer."""
        asked = self._last.get(job.name)
        if asked is None or asked.job.act is not job.act:
            asked = self._last[job.name] = _Asked(job, asyncio.get_running_loop().create_future())
            asked.done.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._waiting.append(asked)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="terraform")
        await asyncio.shield(asked.done)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._clock.sleep(GATHER_S)
                await self._carry_out(self._batch())
        finally:
            self._worker = None

    def _batch(self) -> dict[str, _Asked]:
        """All that waits, but for what was asked of the same machine later."""
        batch: dict[str, _Asked] = {}
        for asked in self._waiting:
            batch.setdefault(asked.job.name, asked)
        taken = {id(asked) for asked in batch.values()}
        self._waiting = [asked for asked in self._waiting if id(asked) not in taken]
        return batch

    async def _carry_out(self, batch: Mapping[str, _Asked]) -> None:
        failure: SkepError | None = None
        answers: Mapping[str, SkepError | None] = {}
        try:
            answers = await self._batches.carry_out([asked.job for asked in batch.values()])
        except SkepError as error:
            failure = error
        except Exception as error:
            log.exception("a batch of machines failed")
            failure = BugError(f"the plugin terraform failed: {type(error).__name__}")
        for name, asked in batch.items():
            self._answer(name, asked, failure or answers.get(name))

    def _answer(self, name: str, asked: _Asked, error: SkepError | None) -> None:
        if self._last.get(name) is asked:
            del self._last[name]
        self._failures.pop(name, None)
        if error is None:
            asked.done.set_result(None)
        else:
            self._failures[name] = str(error)
            asked.done.set_exception(error)


def wanted_of(properties: RawJson, *, lenient: bool = False) -> Wanted:
    """InvalidError in InfraKit's words: `no-properties`, `no-resource-type:…`, `no-value:…`."""
    if properties.strip() == NULL:
        raise InvalidError([Fault("no-properties")])
    given = read(properties, _Terraform, lenient=lenient)
    text = properties.decode()
    if not given.type:
        raise InvalidError([Fault(f"no-resource-type:{text}")])
    value = _object(given.value)
    if not value:
        raise InvalidError([Fault(f"no-value:{text}")])
    if not _TYPE.fullmatch(given.type):
        raise InvalidError([Fault("must be a type of resource, such as aws_instance", "Type")])
    return Wanted(given.type, value)


def _object(text: str) -> dict[str, msgspec.Raw]:
    """InvalidError for what is neither an object nor null."""
    try:
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw] | None) or {}
    except msgspec.DecodeError as error:
        raise InvalidError([Fault("must be an object: the arguments of the resource", "Value")]) from error


def _is_undone(kept: Kept, states: States) -> bool:
    return kept.going or kept.machine.address not in states


def _elsewhere(there: InState) -> InstanceDescription | None:
    """A machine whose file is on another host: the state and its tags are enough."""
    if there.machine is None:
        return None
    life = Life.PENDING if there.is_tainted else Life.RUNNING
    return InstanceDescription(there.machine.name, there.machine.logical_id, there.machine.tags, life)
