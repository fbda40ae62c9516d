"""Many machines made and removed by one plan and one apply, each with an answer of its own."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from skep.model.errors import RefusedError, RejectedError, SkepError, UnavailableError
from skep.model.machine import InstanceSpec
from skep.plugins.cloud_redaction import redacted
from skep.plugins.terraform_folder import TerraformFolder
from skep.plugins.terraform_program import Diagnostic, Outcome, TerraformProgram
from skep.plugins.terraform_resource import Wanted, encoded
from skep.plugins.terraform_state import States, TerraformState

_HARMLESS = frozenset({"noop", "no-op", "read", "move"})
"""What a plan may do with resources that are no machines of ours."""


class Act(StrEnum):
    """What a job asks for. FINISH is whatever an earlier process has begun with the machine."""

    MAKE = "make"
    REMOVE = "remove"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Job:
    """One machine; `wanted` and `spec` are there when it is to be made."""

    act: Act
    name: str
    wanted: Wanted | None = None
    spec: InstanceSpec = field(default_factory=InstanceSpec)


Answers = dict[str, SkepError | None]
"""By name of the machine; None is success."""

Work = Mapping[str, Job]
"""By address of the resource that Terraform has to look at."""


class Batches:
    """Carries out jobs in one folder."""

    def __init__(self, folder: TerraformFolder, program: TerraformProgram, state: TerraformState) -> None:
        self._folder, self._program, self._state = folder, program, state

    async def carry_out(self, jobs: Sequence[Job]) -> Answers:
        """An answer for each; a SkepError is for all of them. Holds the folder's lock meanwhile."""
        async with self._folder.locked() as lock:
            self._folder.make_ready()
            self._state.forget()
            before = await self._state.read(locked=True)
            answers: Answers = {}
            work: dict[str, Job] = {}
            for job in jobs:
                answers[job.name] = None
                try:
                    address = self._prepared(job, before)
                except SkepError as error:
                    answers[job.name] = error
                except OSError as error:
                    answers[job.name] = UnavailableError(f"could not write machine {job.name}: {error.strerror}")
                else:
                    work |= {address: job} if address else {}
            if work:
                answers |= await _Round(self._folder, self._program, self._state, before, lock).run(work)
        return answers

    def _prepared(self, job: Job, before: States) -> str:
        """Bring the machine's file to where it belongs; what Terraform has to look at, empty for nothing."""
        kept = self._folder.find(job.name)
        if job.wanted is not None:
            address = f"{job.wanted.type}.{job.name}"
            is_there = address in before and not before[address].is_tainted
            if not is_there or kept is None or kept.going:
                self._folder.write(job.name, encoded(job.name, job.wanted, job.spec))
            return "" if is_there else address
        address = kept.machine.address if kept else _address_of(job.name, before)
        if job.act is Act.REMOVE:
            self._folder.set_going(job.name)
        is_leaving = job.act is Act.REMOVE or (kept is not None and kept.going)
        if is_leaving and address not in before:
            self._folder.forget(job.name)
        return address if is_leaving == (address in before) else ""


def _address_of(name: str, states: States) -> str:
    """Of a machine that has no file here and is known from the state; empty where there is none."""
    return next((address for address, found in states.items() if found.machine and found.machine.name == name), "")


@dataclass(frozen=True, slots=True)
class _Round:
    """The work of one lock. `before`: what was in the state when it was taken."""

    folder: TerraformFolder
    program: TerraformProgram
    state: TerraformState
    before: States
    lock: int

    async def run(self, work: Work) -> Answers:
        """Plan, leave out whom the plan's errors blame, apply, and look at what is there then."""
        with self.folder.plan_file() as file:
            plan = await self._planned(list(work), file)
            if not plan.ok:
                return await self._without_the_blamed(work, plan)
            strangers = {a: c for a, c in plan.changes.items() if a not in work and c not in _HARMLESS}
            if strangers:
                return await self._without_strangers(work, strangers)
            applied = await self._applied(file, plan)
        return await self._settled(work, applied)

    async def _planned(self, targets: Sequence[str], file: Path) -> Outcome:
        """With `init` where it is needed: at first, and for a provider that is new."""
        plan = await self.program.plan(targets, file, self.lock)
        if plan.ok or not plan.needs_init:
            return plan
        initialised = await self.program.init(self.lock)
        return await self.program.plan(targets, file, self.lock) if initialised.ok else initialised

    async def _without_the_blamed(self, work: Work, plan: Outcome) -> Answers:
        blamed = {address: job for address, job in work.items() if _errors_of(plan, address, job.name)}
        answers = self._withdrawn(blamed or work, plan, self._inits(work), self.before)
        rest = {address: job for address, job in work.items() if blamed and address not in blamed}
        return answers | (await self.run(rest) if rest else {})

    async def _without_strangers(self, work: Work, strangers: Mapping[str, str]) -> Answers:
        """Whose machine it is that needs them is found by halving."""
        if len(work) > 1:
            items = list(work.items())
            half = len(items) // 2
            return await self.run(dict(items[:half])) | await self.run(dict(items[half:]))
        told = ", ".join(f"{change} {address}" for address, change in sorted(strangers.items()))
        [(address, job)] = work.items()
        self._withdraw(job, is_there=address in self.before)
        return {
            job.name: RefusedError(
                f"Terraform would not only change {address} but {told}, which this plugin did not make: "
                f"apply that by hand in {self.folder.path} first"
            )
        }

    async def _applied(self, file: Path, plan: Outcome) -> Outcome:
        if not plan.changes:
            return plan
        try:
            return await self.program.apply(file, self.lock)
        except UnavailableError as error:  # interrupted: what it made until then is in the state
            return Outcome(False, (Diagnostic(str(error)),))
        finally:
            self.state.forget()

    async def _settled(self, work: Work, applied: Outcome) -> Answers:
        """By what is in the state. What was made halfway is removed again."""
        after = await self.state.read(locked=True)
        there = {a for a in work if a in after and not after[a].is_tainted}
        answers: Answers = {}
        halfway: dict[str, Job] = {}
        for address, job in work.items():
            is_wanted = self._is_wanted(job)
            if not is_wanted and address not in after:
                self.folder.forget(job.name)
            elif is_wanted != (address in there):
                answers |= self._withdrawn({address: job}, applied, self._inits(work), after)
                halfway |= {address: Job(Act.REMOVE, job.name)} if is_wanted and address in after else {}
        if halfway:
            await self.run(halfway)
        return {job.name: None for job in work.values()} | answers

    def _is_wanted(self, job: Job) -> bool:
        """Whether it shall be there in the end."""
        kept = self.folder.find(job.name)
        return job.act is not Act.REMOVE and kept is not None and not kept.going

    def _withdrawn(self, work: Work, outcome: Outcome, inits: Sequence[str], there: Collection[str]) -> Answers:
        answers: Answers = {}
        for address, job in work.items():
            errors = _errors_of(outcome, address, job.name) or outcome.errors
            text = redacted(Outcome(False, tuple(errors)).text, inits) or "it is not in the state afterwards"
            verb = "make" if self._is_wanted(job) else "remove"
            answers[job.name] = RejectedError(f"could not {verb} {address}: {text}")
            self._withdraw(job, is_there=address in there)
        return answers

    def _withdraw(self, job: Job, *, is_there: bool) -> None:
        """A machine that could not be made leaves no file, unless something of it is there."""
        if job.act is Act.MAKE:
            self.folder.set_going(job.name)
            if not is_there:
                self.folder.forget(job.name)

    def _inits(self, work: Work) -> list[str]:
        return [job.spec.init or self.folder.init_of(job.name) for job in work.values()]


def _errors_of(outcome: Outcome, address: str, name: str) -> list[Diagnostic]:
    """Those that blame this machine: by its address, its file, or a provider that only its kind of resource needs."""
    provider = address.partition("_")[0]
    return [
        error
        for error in outcome.errors
        if error.address == address
        or error.file == TerraformFolder.file_of(name)
        or (not error.address and not error.file and _names_provider(error, provider))
    ]


def _names_provider(error: Diagnostic, provider: str) -> bool:
    return re.search(rf"/{re.escape(provider)}\b", f"{error.summary} {error.detail}") is not None
