"""InfraKit's Group interface over the core: what is committed becomes a spec, and the controllers do the rest.

No call holds a lock, and none waits for another group's plugins (infrakit-compat.md 3.10: G1, G7).
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from skep.control.committed_document import AskedGroup, asked_group, committed, group_spec, not_found
from skep.control.core import Core
from skep.control.documents import SpecDocument, spec_of
from skep.control.groups import CONFIG_TAG, GROUP_TAG, fingerprint
from skep.control.surroundings import Standing
from skep.model.errors import BugError, ConflictError, NotFoundError, RejectedError, UnavailableError
from skep.model.machine import CommittedGroup, GroupDescription, InstanceDescription
from skep.model.plan import REMOVALS
from skep.model.spec import GroupSpec, Key, Kind, PluginRef
from skep.model.state import EVERYTHING
from skep.planning.commit_text import Committed, Live, commit_text
from skep.ports import Clock, Plugins

LOOK_S = 0.05
"""How often a destroy that is waited for looks whether it is over."""

PATIENCE_S = 10.0
"""How long a plugin may be away before who waits for a destroy is told: as long as InfraKit takes to look again, and
longer than the restart of a program takes."""

TOLD_MAX = 10
"""So many machines that could not be removed are named; the rest is counted."""

ASKER = "InfraKit's group interface"
"""Who asked, for the history: the protocol does not tell."""


class CommittedGroups:
    """Implements ports.GroupPlugin."""

    def __init__(self, core: Core, plugins: Plugins, clock: Clock) -> None:
        self._core, self._plugins, self._clock = core, plugins, clock

    async def commit(self, group: CommittedGroup, *, pretend: bool, who: str = "") -> str:
        """infrakit-compat.md 1.3, in its order, and 3.2. Nothing of it waits for what an earlier commit began."""
        asked = asked_group(group)
        await self._validate(asked)
        spec = group_spec(asked)
        text = commit_text(*await self._compared(spec))
        await self._core.take(spec, who or ASKER, pretend=pretend)
        return text

    async def _validate(self, asked: AskedGroup) -> None:
        await _found("Flavor", asked.flavor, self._ask_flavor(asked))
        await _found("Instance", asked.instance, self._ask_instance(asked))

    async def _ask_flavor(self, asked: AskedGroup) -> None:
        try:
            flavor = self._plugins.flavor(asked.flavor.plugin)
        except NotFoundError as error:
            raise not_found("Flavor", asked.flavor.plugin) from error
        await flavor.validate(asked.flavor.properties, asked.allocation)

    async def _ask_instance(self, asked: AskedGroup) -> None:
        try:
            instance = self._plugins.instance(asked.instance.plugin)
        except NotFoundError as error:
            raise not_found("Instance", asked.instance.plugin) from error
        await instance.validate(asked.instance.properties)

    async def _compared(self, spec: GroupSpec) -> tuple[Committed | None, Committed, Sequence[Live]]:
        """The group before and after, and the machines that there are, as their own plugin lists them now."""
        document = await self._core.document(spec.key)
        before = None if document is None or document.removed else _group_of(document)
        wanted = fingerprint(spec)
        live = [Live(d.logical_id, d.tags.get(CONFIG_TAG) == wanted) for d in await self._machines(spec)]
        return _told(before), Committed(spec.allocation, wanted), live

    async def _machines(self, spec: GroupSpec) -> Sequence[InstanceDescription]:
        return await self._plugins.instance(spec.instance.plugin).describe({GROUP_TAG: spec.id})

    async def free(self, group: str, who: str = "") -> None:
        key = (await self._required(group)).key
        await self._core.free(key, who or ASKER)

    async def describe(self, group: str) -> GroupDescription:
        """The machines as their plugin lists them now. Converged is judged by a look that is not older than a second,
        and is no word about machines that this look has not seen (infrakit-compat.md 3.10: G10)."""
        document = await self._required(group)
        view = await self._core.view(document.key)
        listed = await self._machines(_group_of(document))
        known = {member.id for member in view.members}
        converged = view.converged and known == {d.id for d in listed}
        error = "" if converged else _last_error(await self._core.standing(document.key))
        return GroupDescription(tuple(listed), converged, error)

    async def inspect(self) -> Sequence[CommittedGroup]:
        return [committed(_group_of(document)) for document in await self._core.documents(Kind.GROUP)]

    async def destroy(self, group: str, who: str = "") -> None:
        document = await self._required(group)
        [change, *_] = await self._core.remove(document.key, who or ASKER, cascade=False, again=True)
        waiting = _Waiting(group, change.generation, self._clock.monotonic_s())
        while await self._is_there(document):
            waiting.look(await self._core.standing(document.key), self._clock.monotonic_s())
            await self._clock.sleep(LOOK_S)

    async def _is_there(self, before: SpecDocument) -> bool:
        """ConflictError when the group was committed again before the last machine of its old life had gone."""
        now = await self._core.document(before.key)
        if now is None or (now.uid != before.uid and before.uid not in now.lives):
            return False
        if not now.removed:
            raise ConflictError(f"Group '{before.key.name}' was committed again while it was being destroyed")
        return True

    async def _required(self, group: str) -> SpecDocument:
        document = await self._core.document(Key(Kind.GROUP, group))
        if document is None:
            raise NotFoundError(f"Group '{group}' is not being watched")
        return document


async def _found(kind: str, ref: PluginRef, answer: Awaitable[None]) -> None:
    """What a plugin says of its properties is passed on as it is; that there is none is said in InfraKit's words."""
    try:
        await answer
    except NotFoundError as error:
        if str(error) != f"Plugin not found: {ref.plugin}":
            raise
        raise not_found(kind, ref.plugin) from error


@dataclass(slots=True)
class _Waiting:
    """A destroy that somebody waits for. `well_s`: when the plugins were last seen to answer."""

    group: str
    generation: int
    well_s: float

    def look(self, standing: Standing, now_s: float) -> None:
        """UnavailableError where nobody answers for a while, RejectedError when all that is left could not be removed.
        In either case it is tried again."""
        seen = standing.seen
        silent = seen is not None and EVERYTHING in seen.observed.silent
        if not silent and not standing.trouble:
            self.well_s = now_s
        elif now_s - self.well_s >= PATIENCE_S:
            why = standing.trouble or "its instance plugin does not answer"
            raise UnavailableError(f"Group '{self.group}' is destroyed as soon as that can be done: {why}")
        if seen is not None and seen.desired.generation >= self.generation:
            _refuse_if_stuck(self.group, standing, [m.id for m in seen.observed.members])


def _last_error(standing: Standing) -> str:
    """What is not mended yet, of several what is tried again last (infrakit-compat.md 7 #4)."""
    failures = [f for f in standing.record.ledger.failures if f.message]
    if standing.trouble or not failures:
        return standing.trouble
    last = max(failures, key=lambda failure: failure.retry_s)
    return f"{last.subject}: {last.message}" if last.subject else last.message


def _refuse_if_stuck(group: str, standing: Standing, left: Sequence[str]) -> None:
    failures = standing.record.ledger.failures
    failed = {f.subject: f.message for f in failures if f.kind in REMOVALS and f.count}
    if not left or not all(member in failed for member in left):
        return
    told = [f"{member}: {failed[member]}" for member in left[:TOLD_MAX]]
    more = [f"and {len(left) - TOLD_MAX} more"] if len(left) > TOLD_MAX else []
    raise RejectedError(
        f"{len(left)} instances of group '{group}' could not be destroyed yet and are tried again: "
        + "; ".join([*told, *more])
    )


def _told(spec: GroupSpec | None) -> Committed | None:
    return None if spec is None else Committed(spec.allocation, fingerprint(spec))


def _group_of(document: SpecDocument) -> GroupSpec:
    spec = spec_of(document.spec)
    if not isinstance(spec, GroupSpec):
        raise BugError(f"{document.key} holds no group")
    return spec
