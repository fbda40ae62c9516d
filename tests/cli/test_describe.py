"""One command says of every replica how it is, what befell it and what comes next, and why a workload is not as wanted.

The views are those that the controller makes of simulated engines; the pages are those of a terminal of 80 columns.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from skep.cli.keys import description
from skep.cli.output import Table
from skep.cli.state import state_of
from skep.cli.tables import replicas
from skep.control.documents import Pause, SpecDocument
from skep.control.moment import Now
from skep.control.pauses import begin
from skep.control.reconcile import Seen
from skep.control.views import described, key_view
from skep.model.spec import Port, WorkloadSpec
from skep.model.state import Ledger, Record
from skep.model.view import KeyView
from skep.planning.conditions import conditions
from skep.planning.planner import plan
from tests.cli.shell import check_golden
from tests.control.lab import WEB, Lab, document_of
from tests.planning.notation import ledger
from tests.server.bodies import as_json
from tests.sim.loop import run

WALL_S = 1_795_329_000.0
"""06:30:00, at the moment of asking."""
COLUMNS = 80


@dataclass
class Scene:
    """A workload in trouble. `books` is of the notation of tests/planning, with times from the moment of asking."""

    spec: WorkloadSpec = WEB
    engines: tuple[str, ...] = ("alpha", "beta")
    books: str = ""
    hold: str = ""
    trouble: str = ""
    paused: str = ""
    paused_by: str = "ann"
    begun: Callable[[Lab], Awaitable[None]] | None = None
    errors: dict[str, str] = field(default_factory=dict)


async def _view(scene: Scene) -> KeyView:
    lab = Lab(*scene.engines)
    await lab.look(scene.spec)
    if scene.begun is not None:
        await scene.begun(lab)
    now_s = lab.clock.monotonic_s()
    document = document_of(scene.spec)
    books = _ledger(scene, now_s)
    record = Record(scene.spec.key, 1, ledger=books, image=scene.spec.image, image_spec=scene.spec.image)
    if scene.paused:
        older = document_of(replace(scene.spec, env=(("A", "1"),)))
        document = replace(document, paused=_pause(scene, older, record))
    resolved = await lab.level.resolve(document, record, await lab.book.sight("lab"), scene.hold)
    observed = await resolved.actuator.observe(resolved.desired)
    observed = replace(observed, members=tuple(replace(m, well_s=60.0 * m.healthy) for m in observed.members))
    made = plan(resolved.desired, observed, books, now_s)
    stated = conditions(resolved.desired, observed, books, made, (), WALL_S, now_s)
    seen = Seen(resolved.desired, observed, made, resolved.actuator, "lab", now_s)
    record, now = replace(record, conditions=stated), Now(now_s, WALL_S)
    return await described(key_view(document, record, seen, now, scene.trouble), seen, record, now)


def _pause(scene: Scene, older: SpecDocument, record: Record) -> Pause:
    """Skep itself pauses what failed."""
    by = scene.paused_by
    return replace(begin(older, record, by, 0.0, scene.paused, automatic=by == "skep"), settled=older.spec)


def _ledger(scene: Scene, now_s: float) -> Ledger:
    """With the errors of the scene, by subject, in place of the notation's."""
    books = ledger(scene.books)
    failures = tuple(
        replace(f, retry_s=f.retry_s + now_s, message=scene.errors.get(f.subject, f.message)) for f in books.failures
    )
    progress = replace(books.progress, since_s=now_s - 600.0) if books.progress else None
    return replace(books, failures=failures, progress=progress)


async def _three(lab: Lab, spec: WorkloadSpec = WEB, ended: str = "") -> None:
    """Of three, on the engines in turn, those that are named have ended."""
    current = {"skep.fingerprint": (await lab.resolve(spec)).desired.fingerprint}
    hosts = sorted(lab.hosts)
    for number in (1, 2, 3):
        state = "exited" if str(number) in ended else "running"
        put = lab.put(hosts[number % len(hosts)], state, str(number), current)
        code = 137 if state == "exited" else None
        put.shown = replace(put.shown, exit_code=code, created_s=WALL_S - 180)


async def _looping(lab: Lab) -> None:
    await _three(lab, ended="2")


async def _silent_for(lab: Lab, silence_s: int, *hosts: str) -> None:
    await _three(lab)
    await lab.look()
    for host in hosts:
        lab.hosts[host].sicken(True)
    for _ in range(silence_s // 4):
        await lab.look()
        await lab.clock.sleep(4.0)


async def _one_silent(lab: Lab) -> None:
    await _silent_for(lab, 12, "beta")


async def _one_lost(lab: Lab) -> None:
    await _silent_for(lab, 180, "beta")


async def _most_silent(lab: Lab) -> None:
    await _silent_for(lab, 60, "beta", "gamma")


async def _older(lab: Lab) -> None:
    await _three(lab, replace(WEB, env=(("A", "1"),)))


PORT = replace(WEB, ports=(Port(80, 8080, mode="host"),))


async def _two_with_a_port(lab: Lab) -> None:
    current = {"skep.fingerprint": (await lab.resolve(PORT)).desired.fingerprint}
    for host, slot in (("alpha", "1"), ("beta", "2")):
        put = lab.put(host, slot=slot, labels=current)
        put.shown = replace(put.shown, created_s=WALL_S - 180)


NO_PLACE = "manifest for registry.lab/web:9 not found: manifest unknown"
SCENES = {
    "image": Scene(
        replace(WEB, count=2),
        books="failed pull alpha 3 40, failed pull beta 2 18",
        errors=dict.fromkeys(("alpha", "beta"), NO_PLACE),
    ),
    "crash-loop": Scene(
        books="failed start 2 3 40 x", errors={"2": "exited with code 137: out of memory"}, begun=_looping
    ),
    "given-up": Scene(
        replace(WEB, restart=replace(WEB.restart, attempts_max=3)),
        books="failed start 2 3 40 x",
        errors={"2": "exited with code 137: out of memory"},
        begun=_looping,
    ),
    "name-conflict": Scene(
        books="failed create any 2 7, failed create alpha 2 7",
        errors={"": "NameConflict: there is a container web.1.rrrr on alpha that is not skep's"},
        engines=("alpha",),
    ),
    "refused": Scene(
        books="failed create any 4 8, failed create alpha 4 80",
        errors={"": "no space left on device"},
        engines=("alpha",),
    ),
    "unplaceable": Scene(PORT, begun=_two_with_a_port),
    "silent": Scene(engines=("alpha", "beta", "gamma"), begun=_one_silent),
    "lost": Scene(engines=("alpha", "beta", "gamma"), begun=_one_lost),
    "partition": Scene(engines=("alpha", "beta", "gamma"), begun=_most_silent),
    "paused": Scene(begun=_older, paused="the release is stopped"),
    "paused-after-failure": Scene(
        begun=_older, paused_by="skep", paused="generation 2 failed: 1 of 3 failed: exited with code 3"
    ),
    "late": Scene(
        begun=_older,
        books="progress 0 3 3 0, failed pull alpha 5 40, failed pull beta 5 90",
        errors=dict.fromkeys(("alpha", "beta"), NO_PLACE),
    ),
    "hold": Scene(hold="cluster lab is a Swarm now, and the containers were made on its engine"),
    "look-failed": Scene(begun=_three, trouble="plugin instance-vagrant does not answer on /run/infrakit/vagrant"),
}


@pytest.mark.parametrize("name", SCENES)
def test_a_description_says_why_it_is_not_as_wanted(name: str) -> None:
    """At 80 columns nothing is cut."""

    async def main() -> None:
        view = as_json(await _view(SCENES[name]))
        assert state_of(view).word != "Ready"
        lines = description(view, lambda table: table.folded(COLUMNS))
        check_golden(f"describe-{name}", "\n".join(lines) + "\n")

    run(main)


def test_what_completed_has_no_error() -> None:
    async def main() -> None:
        view = await _view(Scene(begun=_three))
        done = replace(view.members[0], life="completed", detail="exited with code 0")
        assert replicas(as_json(replace(view, members=(done,)))).rows[0][-1] == ""

    run(main)


def test_what_is_as_wanted_has_nothing_next() -> None:
    async def main() -> None:
        view = await _view(Scene(begun=_three))
        assert view.converged
        assert {(m.next, m.last_error, m.restarts, m.next_in_s) for m in view.members} == {("", "", 0, -1.0)}

    run(main)


def test_what_fits_is_one_line_for_each_replica() -> None:
    table = Table(("SLOT", "NEXT", "ERROR"), (("web.1", "made again", "exited"),))
    assert table.folded(80) == table.lines()
    assert table.folded(20) == ["SLOT", "web.1", "  next: made again", "  error: exited"]


def test_a_long_text_is_broken_between_words_and_never_cut() -> None:
    words = " ".join(["reason"] * 20)
    lines = Table(("CONDITION", "MESSAGE"), (("Available", words),)).folded(40)
    assert all(len(line) <= 40 for line in lines)
    assert " ".join(" ".join(lines[2:]).split()) == words
