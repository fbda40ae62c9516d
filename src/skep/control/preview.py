"""The dry run: what would be done to what, and why, by the very planner that will do it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from skep.control.catalog import Catalog, lives_after
from skep.control.documents import SpecDocument
from skep.control.intake import change_of
from skep.control.reconcile import Reconciler
from skep.model.plan import Action, Plan
from skep.model.spec import Kind, Spec
from skep.model.view import ActionView, PlanView
from skep.planning.explain import explain_action, explain_note
from skep.specs.canonical import to_json


class Preview:
    """Asks the reconcilers what they would do; changes nothing."""

    def __init__(self, catalog: Catalog, reconciler: Callable[[Kind], Reconciler]) -> None:
        self._catalog, self._reconciler = catalog, reconciler

    async def plan(self, specs: Sequence[Spec]) -> tuple[PlanView, ...]:
        """One plan for each spec, as if all of them had been accepted."""
        there = {d.key: d for d in await self._catalog.list()}
        wanted = {s.key: _as_if(s, await self._catalog.before(s.key)) for s in specs}
        world = tuple({**there, **wanted}.values())
        return tuple([await self._one(wanted[s.key], there.get(s.key), world) for s in specs])

    async def _one(self, wanted: SpecDocument, before: SpecDocument | None, world: Sequence[SpecDocument]) -> PlanView:
        _, plan = await self._reconciler(wanted.key.kind).preview(wanted, world)
        actions = tuple(_action(plan, a) for a in plan.actions)
        notes = tuple(explain_note(n, plan.key.name) for n in plan.notes)
        return PlanView(str(wanted.key), change_of(before, wanted), actions, notes)


def _as_if(spec: Spec, before: SpecDocument | None) -> SpecDocument:
    """The document that accepting this spec would make."""
    text = to_json(spec)
    if before is not None and not before.removed and before.spec == text:
        return before
    if before is None:
        return SpecDocument(spec.key, "", 1, False, text, ())
    uid, lives = "" if before.removed else before.uid, lives_after(before)
    return replace(before, generation=before.generation + 1, removed=False, spec=text, uid=uid, lives=lives)


def _action(plan: Plan, action: Action) -> ActionView:
    text = explain_action(plan.key.kind, action)
    return ActionView(action.kind.value, action.reason.value, action.slot or "", action.member, text)
