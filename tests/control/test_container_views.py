"""What people are shown of containers: what runs is counted, all that is there is listed, no engine is asked."""

from dataclasses import replace

import pytest

from skep.control.container_views import hosts_of, names_of
from skep.control.moment import Now
from skep.control.reconcile import Seen
from skep.control.views import described, key_view
from skep.model.cluster import ClusterKind, ClusterSight, EngineState
from skep.model.engine import Container
from skep.model.plan import ActionKind, Plan, Reason
from skep.model.spec import WorkloadSpec
from skep.model.state import Entry, Failure, Ledger, Record
from skep.model.view import KeyView, MemberView
from tests.control.lab import WEB, Lab, document_of
from tests.sim.loop import run

PORTS = ((8080, 80, "tcp"), (32768, 443, "tcp"))


async def page(lab: Lab, ledger: Ledger | None = None, spec: WorkloadSpec = WEB, **more: object) -> KeyView:
    resolved = await lab.resolve(spec, **more)
    observed = await resolved.actuator.observe(resolved.desired)
    plan = Plan(resolved.desired.key, 1)
    seen = Seen(resolved.desired, observed, plan, resolved.actuator, "lab", lab.clock.monotonic_s())
    record = Record(spec.key, observed_generation=1, ledger=ledger or Ledger())
    now = Now(lab.clock.monotonic_s(), 61.0)
    return await described(key_view(document_of(spec, **more), record, seen, now), seen, record, now)


def there(view: KeyView) -> list[MemberView]:
    """The rows of containers, without those of replicas that are missing."""
    return [m for m in view.members if m.id]


async def fresh(lab: Lab) -> dict[str, str]:
    return {"skep.fingerprint": (await lab.resolve()).desired.fingerprint}


def test_only_what_runs_is_counted_and_each_number_once() -> None:
    """W53."""

    async def main() -> None:
        lab = Lab("alpha", "beta")
        current = await fresh(lab)
        lab.put("alpha", slot="1", labels=current), lab.put("beta", slot="1", labels=current)
        lab.put("alpha", "created", "2"), lab.put("beta", "exited", "3")
        sick = lab.put("beta", slot="4")
        sick.shown = replace(sick.shown, health="unhealthy")
        view = await page(lab)
        assert (view.desired, view.current, view.ready) == (3, 2, 1)
        assert len(view.members) == 5

    run(main)


def test_what_has_ended_is_not_outdated_and_comes_last() -> None:
    async def main() -> None:
        lab = Lab("alpha")
        current = await fresh(lab)
        lab.put("alpha", "exited", "1"), lab.put("alpha", slot="10", labels=current), lab.put("alpha", slot="9")
        view = await page(lab)
        assert [(m.slot, m.life, m.current) for m in there(view)] == [
            ("web.9", "running", False),
            ("web.10", "running", True),
            ("web.1", "dead", False),
        ]
        assert view.outdated == 1

    run(main)


def _publish(lab: Lab, host: str, **more: object) -> Container:
    found = lab.put(host)
    found.shown = replace(found.shown, ports=PORTS, **more)  # type: ignore[arg-type]
    return found.shown


def test_a_row_says_where_it_is_and_where_it_answers() -> None:
    async def main() -> None:
        lab = Lab("alpha")
        shown = _publish(lab, "alpha")
        view = await page(lab)
        (row,) = there(view)
        assert (row.id, row.node, row.address, row.age_s) == (shown.id[:12], "alpha", "alpha:8080", 60.0)
        assert (row.life, row.health, row.running, row.wanted) == ("running", "healthy", 1, 1)
        assert view.endpoints == ("alpha:8080", "alpha:32768")

    run(main)


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("unix:///var/run/docker.sock", "localhost"),
        ("tcp://10.0.0.7:2376", "10.0.0.7"),
        ("https://[fd00::1]:2376", "fd00::1"),
        ("ssh://ann@box:22/run/docker.sock", "box"),
        ("context://desktop", None),
    ],
)
def test_ports_are_published_on_the_engines_host(endpoint: str, host: str | None) -> None:
    sight = ClusterSight("lab", ClusterKind.ENGINE, (EngineState("alpha", endpoint),))
    assert hosts_of(sight).get("alpha") == host
    assert hosts_of(replace(sight, kind=ClusterKind.CLASSIC)) == {}


def test_an_engine_that_only_its_url_tells_apart_is_shown_by_its_hosts_name() -> None:
    def sight(*engines: tuple[str, str]) -> ClusterSight:
        states = tuple(EngineState(source, source, hostname=hostname) for source, hostname in engines)
        return ClusterSight("lab", ClusterKind.ENGINE, states)

    assert names_of(sight(("unix:///a.sock", "edge-1"))) == {"unix:///a.sock": "edge-1"}
    assert names_of(sight(("unix:///a.sock", "edge-1"), ("unix:///b.sock", "edge-1"))) == {}
    assert names_of(sight(("10.0.0.7", "edge-1"), ("unix:///b.sock", ""))) == {}


def test_a_classic_swarm_names_the_node_and_not_its_address() -> None:
    """semantics.md 5.4."""

    async def main() -> None:
        lab = Lab("alpha")
        lab.is_more["alpha"] = {"classic": True}
        _publish(lab, "alpha", node="node-2")
        view = await page(lab)
        assert (view.members[0].node, view.members[0].address, view.endpoints) == ("node-2", "", ())

    run(main)


def test_a_row_says_what_is_being_done_and_how_those_before_it_ended() -> None:
    async def main() -> None:
        lab = Lab("alpha")
        one = lab.put("alpha", slot="1").shown
        two = lab.put("alpha", "created", "2", {"skep.request": "r2"}).shown
        dead = lab.put("alpha", "exited", "1")
        dead.shown = replace(dead.shown, exit_code=137)
        entries = (
            Entry("r1", ActionKind.DRAIN, Reason.SURPLUS, 1, member=one.id),
            Entry("r2", ActionKind.CREATE, Reason.MISSING, 1, "2"),
        )
        failures = (Failure("1", ActionKind.START, 2, 0.0, "exited with code 137", "c0"),)
        rows = {m.id: m for m in there(await page(lab, Ledger(entries, failures)))}
        assert rows[one.id[:12]].doing.startswith("drain and remove")
        assert rows[two.id[:12]].doing.startswith("create")
        assert rows[one.id[:12]].detail == "ended before: 2, the last one exited with code 137"
        assert rows[dead.shown.id[:12]].detail == "exited with code 137"

    run(main)


def test_those_of_a_silent_engine_are_shown_as_unknown() -> None:
    async def main() -> None:
        lab = Lab("alpha", "beta")
        lab.put("alpha"), lab.put("beta", slot="2")
        await lab.look()
        lab.hosts["beta"].sicken(True)
        view = await page(lab)
        assert [(m.slot, m.life, m.running) for m in there(view)] == [("web.1", "running", 1), ("web.2", "unknown", 0)]
        assert (view.current, view.ready) == (1, 1)

    run(main)


def test_those_of_another_life_are_told_of() -> None:
    """W22."""

    async def main() -> None:
        lab = Lab("alpha", "beta")
        for host in ("beta", "alpha"):
            lab.put(host, labels={"skep.uid": "u0"})
        view = await page(lab)
        assert view.waiting == ("containers of another web on alpha, beta are left alone: 2",)
        assert there(view) == []

    run(main)


def test_a_global_workload_wants_one_on_each_engine() -> None:
    async def main() -> None:
        view = await page(Lab("alpha", "beta"), spec=replace(WEB, mode="global", count=0))
        assert (view.desired, view.current) == (2, 0)

    run(main)
