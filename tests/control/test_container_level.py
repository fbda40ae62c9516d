"""What a workload on plain Engines asks of the planner, and what holds it back."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from skep.control.documents import Pause
from skep.control.fixing import image_held
from skep.model.engine import Image
from skep.model.errors import UnavailableError
from skep.model.plan import NoteKind
from skep.model.spec import FileRef, Port, Restart, WorkloadSpec
from skep.model.state import Desired, Ledger, Observed, Record, Revision
from skep.planning.conditions import is_converged
from skep.planning.planner import plan
from skep.specs.canonical import to_json
from tests.control.lab import IMAGE, WEB, Lab, creation, document_of, nobody, on
from tests.sim.loop import run

THREE = ("alpha", "beta", "gamma")


def desired(spec: WorkloadSpec = WEB, names: Sequence[str] = THREE, lost: Sequence[str] = ()) -> Desired:
    async def main() -> Desired:
        lab = Lab(*names)
        await lab.resolve()
        for name in lost:
            lab.hosts[name].sicken(True)
        for _ in range(45 if lost else 0):
            await lab.look()
            await lab.clock.sleep(1.0)
        return (await lab.resolve(spec)).desired

    return run(main)


def test_containers_bear_numbers_and_may_be_on_every_engine() -> None:
    found = desired()
    assert (found.size, found.slots, found.numbered, found.in_place) == (3, None, True, False)
    assert (found.sources, found.per_source_max, found.hold) == (THREE, 0, "")
    assert (found.max_surge, found.max_unavailable) == (1, 0)


def test_limits_follow_the_engines_and_the_spec() -> None:
    """W37, W38, N39: Docker has counted a health check's retries; an engine takes four calls here, and as many wait."""
    limits = desired(replace(WEB, restart=Restart(5, 60.0))).limits
    assert (limits.parallel, limits.unhealthy_after_s) == (24, 0.0)
    assert (limits.restarts_max, limits.restart_window_s) == (5, 60.0)
    assert desired(names=[f"e{n}" for n in range(40)]).limits.parallel == 100


def test_a_published_port_has_room_once_on_an_engine() -> None:
    """W41: with an engine to spare, one more; else one less."""
    spec = replace(WEB, ports=(Port(80, 8080),))
    full, spare = desired(spec), desired(replace(spec, count=2))
    assert (full.per_source_max, full.max_surge, full.max_unavailable) == (1, 0, 1)
    assert (spare.per_source_max, spare.max_surge, spare.max_unavailable) == (1, 1, 0)


def test_a_global_workload_has_one_on_each_engine_that_is_not_lost() -> None:
    everywhere = replace(WEB, mode="global", count=0)
    assert (desired(everywhere).size, desired(everywhere).per_source_max) == (3, 1)
    assert desired(everywhere, lost=["beta"]).size == 2
    assert desired(replace(everywhere, constraints=("node.hostname!=beta",))).size == 2


def test_constraints_choose_the_engines() -> None:
    found = desired(replace(WEB, constraints=("node.hostname!=beta",)))
    assert (found.sources, found.hold) == (("alpha", "gamma"), "")


@pytest.mark.parametrize(
    ("change", "hold"),
    [
        ({"constraints": ("node.hostname==delta",)}, "Constraints: no engine of cluster lab fulfils node.hostname=="),
        ({"constraints": ("node.role==worker",)}, "Constraints: node.role==worker: only a Swarm gives its nodes"),
        ({"secrets": (FileRef("key"),)}, "Secrets: only Swarm mode keeps secrets"),
        ({"networks": ("a", "b")}, "Networks: Docker before 25 (API 1.44) takes one network for a container"),
    ],
)
def test_what_can_not_be_is_a_hold_that_a_dry_run_shows_too(change: dict[str, object], hold: str) -> None:
    async def main() -> None:
        resolved = await Lab("alpha").resolve(replace(WEB, **change))  # type: ignore[arg-type]
        assert resolved.desired.hold.startswith(hold)
        assert resolved.refusal == resolved.desired.hold

    run(main)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"constraints": ("node.hostname==delta",)}, NoteKind.HELD),
        ({"constraints": ("node.role==worker",)}, NoteKind.ROLL_REFUSED),
        ({"secrets": (FileRef("key"),)}, NoteKind.ROLL_REFUSED),
        ({"networks": ("a", "b")}, NoteKind.HELD),
    ],
)
def test_a_global_workload_that_can_not_be_is_not_done_with_none(change: dict[str, object], kind: NoteKind) -> None:
    """W50: the dry run says why. The wait for it goes on only where something else than its spec may end that (W54)."""
    found = desired(replace(WEB, mode="global", count=0, **change), ["alpha"])  # type: ignore[arg-type]
    made = plan(found, Observed(), Ledger(), 0.0)
    assert (found.size, made.actions) == (1, ())
    assert [(n.kind, n.detail) for n in made.notes] == [(kind, found.hold)]
    assert next(iter(change)).capitalize() in found.hold
    assert not is_converged(found, Observed(), Ledger())


def test_a_global_workload_whose_engines_are_all_lost_has_nowhere_to_be() -> None:
    found = desired(replace(WEB, mode="global", count=0, constraints=("node.hostname==beta",)), lost=["beta"])
    made = plan(found, Observed(lost=frozenset({"beta"})), Ledger(), 0.0)
    assert (found.size, [n.kind for n in made.notes]) == (1, [NoteKind.UNPLACEABLE])


def test_a_workload_that_is_removed_is_held_back_by_nothing() -> None:
    async def main() -> None:
        resolved = await Lab("alpha").resolve(replace(WEB, secrets=(FileRef("key"),)), removed=True)
        assert (resolved.desired.size, resolved.desired.removed) == (0, True)
        assert (resolved.desired.hold, resolved.refusal) == ("", "")

    run(main)


def test_only_the_template_is_in_the_fingerprint() -> None:
    """W39."""
    changes: list[dict[str, object]] = [
        {"count": 9},
        {"mode": "global"},
        {"restart": Restart(3)},
        {"constraints": ("node.hostname!=x",)},
    ]
    same = {desired(replace(WEB, **change)).fingerprint for change in changes}  # type: ignore[arg-type]
    assert same == {desired().fingerprint}
    assert desired(replace(WEB, env=(("A", "1"),))).fingerprint not in same


# --- images -----------------------------------------------------------------------------------------------------


def held(*digests: str) -> Image:
    return Image("sha256:1", digests)


@pytest.mark.parametrize(
    ("image", "images", "expected"),
    [
        ("nginx:1", [], ""),
        ("nginx:1", [held("other@sha256:9", "nginx@sha256:1")], "nginx:1@sha256:1"),
        ("nginx:1", [held("nginx@sha256:1"), held("nginx@sha256:1")], "nginx:1@sha256:1"),
        ("nginx:1", [held("nginx@sha256:1"), held("nginx@sha256:2")], ""),
        ("nginx:1", [held()], "nginx:1"),
        ("nginx:1", [held("nginx@sha256:1"), held("other@sha256:1")], "nginx:1"),
        ("r.example.com:5000/a/b:2", [held("r.example.com:5000/a/b@sha256:1")], "r.example.com:5000/a/b:2@sha256:1"),
        ("r.example.com:5000/a/b", [held("r.example.com:5000/a/b@sha256:1")], "r.example.com:5000/a/b@sha256:1"),
        ("nginx@sha256:3", [held("nginx@sha256:3")], "nginx@sha256:3"),
        ("nginx@sha256:3", [], "nginx@sha256:3"),
    ],
)
def test_what_engines_hold_is_good_enough_if_they_agree(image: str, images: list[Image], expected: str) -> None:
    """W32, W40."""
    assert image_held(image, images) == expected


def test_the_image_is_fixed_once_for_a_revision() -> None:
    """W40: what a registry says later changes nothing until the spec's image does."""

    async def main() -> None:
        lab = Lab("alpha", "beta")
        lab.registry["app:1"] = "sha256:1"
        app = replace(WEB, image="app:1")
        record = (await lab.resolve(app)).record
        lab.registry["app:1"] = "sha256:2"
        again = await lab.resolve(app, record)
        assert (record.image, record.image_spec) == ("app:1@sha256:1", "app:1")
        assert again.record == record
        other = await lab.resolve(replace(app, image="app:1-new"), record)
        assert (other.record.image, other.record.image_spec) == ("app:1-new", "app:1-new")

    run(main)


def test_an_engine_that_hangs_is_not_asked_a_second_time_for_an_image() -> None:
    """A registry may take its time; an engine that has just said nothing may not."""

    async def main() -> None:
        lab, app = Lab("alpha", "beta"), replace(WEB, image="app:1")
        lab.registry["app:1"] = "sha256:1"
        lab.kernel.timings = replace(lab.kernel.timings, call_timeout_s=60.0)
        await lab.resolve()
        lab.hosts["beta"].sicken(True)
        began_s = lab.clock.monotonic_s()
        assert (await lab.resolve(app)).record.image == "app:1@sha256:1"
        assert lab.clock.monotonic_s() - began_s < 15

    run(main)


def test_one_that_was_built_here_is_used_by_its_tag() -> None:
    async def main() -> None:
        assert (await Lab("alpha").resolve()).record.image == IMAGE

    run(main)


def test_while_no_engine_answers_nothing_is_fixed_and_nothing_made() -> None:
    async def main() -> None:
        lab = Lab("alpha")
        lab.hosts["alpha"].halt()
        resolved = await lab.resolve()
        assert resolved.record == Record(WEB.key)
        assert resolved.desired.hold == "no engine of cluster lab answers"
        assert resolved.refusal == ""

    run(main)


@pytest.mark.parametrize("act", ["image", "digest"])
def test_an_image_that_could_not_be_looked_up_is_not_taken_by_its_tag(act: str) -> None:
    """W40: else some containers of a revision run what the tag means later."""

    async def main() -> None:
        lab, app = Lab("alpha"), replace(WEB, image="app:1")
        lab.refuse[act] = UnavailableError("the engine answered 500: toomanyrequests")
        resolved = await lab.resolve(app)
        assert resolved.record == Record(WEB.key)
        assert (resolved.desired.hold, resolved.refusal) == ("the engine answered 500: toomanyrequests", "")
        assert (await lab.look(app)).complete
        lab.refuse.clear()
        assert (await lab.resolve(app)).record.image == "app:1"

    run(main)


def test_what_is_forgotten_is_not_remembered_and_a_dry_run_leaves_no_trace() -> None:
    async def main() -> None:
        lab = Lab("alpha", "beta")
        lab.put("beta")
        await lab.look(uid="", adopt=True)
        lab.hosts["beta"].sicken(True)
        assert (await lab.look()).unlisted == {"beta"}
        lab.hosts["beta"].sicken(False)
        await lab.clock.sleep(5.0)
        assert (await lab.look()).complete
        lab.hosts["beta"].sicken(True)
        assert (await lab.look()).unlisted == frozenset()
        await lab.level.forget(document_of().key)
        assert (await lab.look()).unlisted == {"beta"}

    run(main)


# --- the template that all followed -----------------------------------------------------------------------------------

SETTLED = Record(WEB.key, settled=1, settled_image=f"{IMAGE}@sha256:1", settled_image_spec=IMAGE)
NEWER = replace(WEB, image="skep/web:2", count=5)


def _rolled(before: WorkloadSpec, after: WorkloadSpec, record: Record = SETTLED, **more: object) -> Desired:
    """What is desired in a roll from one to the other."""
    history = tuple(Revision(n, "ann", 0.0, to_json(spec)) for n, spec in ((2, after), (1, before)))

    async def main() -> Desired:
        lab = Lab(*THREE)
        await lab.resolve()
        return (await lab.resolve(after, record, generation=2, history=history, **more)).desired

    return run(main)


def test_w45_in_a_roll_the_settled_template_is_known_with_its_image_as_fixed_then() -> None:
    rolled = _rolled(WEB, NEWER)
    assert rolled.settled not in ("", rolled.fingerprint)
    assert rolled.settled == _rolled(replace(WEB, count=9), NEWER).settled, "the count makes no other template"
    assert rolled.settled != _rolled(WEB, NEWER, replace(SETTLED, settled_image=f"{IMAGE}@sha256:9")).settled


TAGGED = replace(SETTLED, settled_image=IMAGE, settled_image_id="sha256:1")
ANEW = replace(TAGGED, image="sha256:2", image_id="sha256:2", image_spec=IMAGE)


def test_w40_what_has_no_digest_is_settled_under_its_tag_also_where_that_names_another_image_now() -> None:
    assert _rolled(WEB, WEB, ANEW).settled == _rolled(WEB, NEWER, TAGGED).settled != ""


@pytest.mark.parametrize(
    ("why", "before", "after", "record"),
    [
        ("there is none", WEB, NEWER, Record(WEB.key)),
        ("its tag names another, and nobody knows what it was", WEB, WEB, replace(ANEW, settled_image_id="")),
        ("it is what is gone back to", WEB, WEB, replace(ANEW, image="sha256:1", image_id="sha256:1")),
        ("it is forgotten", WEB, NEWER, replace(SETTLED, settled=7)),
        ("its image is not known any more", WEB, NEWER, replace(SETTLED, settled_image_spec="")),
        ("it was a job", replace(WEB, restart=Restart(policy="never")), NEWER, SETTLED),
        ("it is one now", WEB, replace(NEWER, restart=Restart(policy="never")), SETTLED),
        ("it may not be everywhere", replace(WEB, constraints=("node.id==none",)), NEWER, SETTLED),
        ("it takes a port of its engine", replace(WEB, ports=(Port(80, 8080),)), NEWER, SETTLED),
    ],
)
def test_nothing_is_made_as_before_where(why: str, before: WorkloadSpec, after: WorkloadSpec, record: Record) -> None:
    assert _rolled(before, after, record).settled == "", why


def test_w49_what_is_paused_has_no_other_template_than_the_settled_one() -> None:
    pause = Pause("ann", 0.0, "", begun=to_json(NEWER), settled=to_json(WEB))
    assert _rolled(WEB, NEWER, paused=pause).settled == ""


@on(*THREE)
async def test_a_container_is_made_of_the_template_that_its_entry_asks_for(lab: Lab) -> None:
    """W40: the old one of the very image that ran before."""
    history = tuple(Revision(n, "ann", 0.0, to_json(spec)) for n, spec in ((2, NEWER), (1, WEB)))
    for host in lab.hosts.values():
        host.images |= {NEWER.image: "sha256:2", SETTLED.settled_image: "sha256:1"}
    await lab.resolve()
    resolved = await lab.resolve(NEWER, SETTLED, generation=2, history=history)
    await resolved.actuator.observe(resolved.desired)
    for number, fingerprint in enumerate((resolved.desired.settled, resolved.desired.fingerprint)):
        entry = replace(creation(str(number + 1), request=f"{number}" * 16), fingerprint=fingerprint)
        await resolved.actuator.create(resolved.desired, entry, nobody)
    made = {c.labels["skep.fingerprint"]: c.image for c in lab.there()}
    assert made == {resolved.desired.settled: SETTLED.settled_image, resolved.desired.fingerprint: NEWER.image}
