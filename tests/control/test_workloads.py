"""Which level a workload is handed to: what its cluster is, what it was before, and what can not be."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from skep.control.container_level import ContainerLevel
from skep.control.containers import ContainerActuator
from skep.control.documents import SpecDocument
from skep.control.levels import Resolved
from skep.control.topology import Topology
from skep.control.workloads import NowhereActuator, Workloads
from skep.model.errors import NotReadyError
from skep.model.state import EVERYTHING, Desired, Member, Observed, Record
from skep.plugins.registry import PluginRegistry
from tests.control.lab import WEB, Lab, creation, document_of
from tests.sim.loop import run

PLAIN: Mapping[str, object] = {}
MANAGER = {"swarm_state": "active", "control": True, "cluster_id": "swarm-1"}
WORKER = {"swarm_state": "active"}
CLASSIC = {"classic": True}


class Services:
    """Where workloads on Swarm mode are handed to; `static` are the answers to whether the cluster is the settings'."""

    def __init__(self) -> None:
        self.static: list[bool] = []

    async def resolve(
        self,
        document: SpecDocument,
        record: Record,
        world: Sequence[SpecDocument],
        cluster: str,
        *,
        static: bool = False,
    ) -> Resolved:
        self.static.append(static)
        return Resolved(Desired(document.key, 1, 1, "service"), record, NowhereActuator(Observed()))

    async def forgotten(self, document: SpecDocument, world: Sequence[SpecDocument]) -> None:
        return None


def resolved(
    made_on: str = "",
    *kinds: Mapping[str, object],
    cluster: str = "lab",
    silent: bool = False,
    static: bool = False,
    made_for: str = "",
    **more: object,
) -> tuple[Resolved, Services, Observed]:
    async def main() -> tuple[Resolved, Services, Observed]:
        names = [f"e{n}" for n, _ in enumerate(kinds)] or ["e0"]
        lab, services = Lab(*names), Services()
        lab.is_more = dict(zip(names, kinds, strict=False))
        if silent:
            lab.hosts[names[-1]].halt()
        topology = Topology(PluginRegistry({}, {}), lab.book.names)
        level = Workloads(topology, lab.book, services, lab.level)  # type: ignore[arg-type]
        document = document_of(replace(WEB, cluster=cluster), **more)
        record = Record(
            WEB.key, made_on=made_on, made_in=cluster if made_on else "", made_static=static, made_for=made_for
        )
        found = await level.resolve(document, record, [document])
        return found, services, await found.actuator.observe(found.desired)

    return run(main)


@pytest.mark.parametrize(("made_on", "kind"), [("", PLAIN), ("engine", PLAIN), ("", CLASSIC), ("classic", CLASSIC)])
def test_engines_have_containers(made_on: str, kind: Mapping[str, object]) -> None:
    found, services, _ = resolved(made_on, kind)
    assert isinstance(found.actuator, ContainerActuator)
    assert (found.desired.hold, found.record.made_on) == ("", "classic" if kind else "engine")
    assert (found.cluster, services.static) == ("lab", [])


@pytest.mark.parametrize("made_on", ["", "swarm"])
def test_a_swarm_of_the_settings_has_services(made_on: str) -> None:
    found, services, _ = resolved(made_on, MANAGER)
    assert (found.desired.fingerprint, services.static) == ("service", [True])


def test_a_cluster_that_the_settings_do_not_name_is_one_of_machines() -> None:
    found, services, _ = resolved("", cluster="managers")
    assert (found.desired.fingerprint, services.static) == ("service", [False])
    assert found.record.made_on == ""


def test_the_only_cluster_need_not_be_named() -> None:
    found, _, _ = resolved("", PLAIN, cluster="")
    assert (found.cluster, found.record.made_on) == ("lab", "engine")


@pytest.mark.parametrize(
    ("made_on", "kinds", "words"),
    [
        ("", [WORKER], "cluster lab names only workers of a Swarm (e0): name its managers instead"),
        ("", [PLAIN, MANAGER], "e0 is an engine of its own, e1 is a manager of Swarm swarm-1; make a cluster of each"),
        ("engine", [MANAGER], "cluster lab was of kind engine when this workload was made and is swarm now"),
        ("engine", [CLASSIC], "cluster lab was of kind engine when this workload was made and is classic now"),
        ("swarm", [PLAIN], "cluster lab was of kind swarm when this workload was made and is engine now"),
        ("engine", [PLAIN, MANAGER], "the endpoints of cluster lab don't belong together"),
        ("swarm", [WORKER], "cluster lab names only workers"),
    ],
)
def test_what_does_not_fit_is_held_with_what_to_do(
    made_on: str, kinds: Sequence[Mapping[str, object]], words: str
) -> None:
    found, services, _ = resolved(made_on, *kinds)
    assert words in found.desired.hold
    assert found.refusal == found.desired.hold
    assert (found.record.made_on, services.static) == (made_on, [])
    assert found.desired.size == 3


@pytest.mark.parametrize(("made_on", "kind", "begins"), [("engine", MANAGER, "swarm"), ("swarm", PLAIN, "engine")])
def test_another_life_begins_on_what_the_cluster_is_now_once_nothing_is_left(
    made_on: str, kind: Mapping[str, object], begins: str
) -> None:
    """W22: the very thing that the hold advises to do."""
    held, _, _ = resolved(made_on, kind, made_for="u1", uid="u1")
    assert "delete the workload and apply it again" in held.desired.hold
    found, services, _ = resolved(made_on, kind, made_for="u1", uid="u2", lives=("u1",))
    assert (found.desired.hold, services.static) == ("", [True] if begins == "swarm" else [])
    assert isinstance(found.actuator, ContainerActuator) == (begins == "engine")
    assert (found.record.made_on, found.record.made_for) == (("engine", "u2") if begins == "engine" else ("", ""))


def test_containers_are_watched_on_where_their_engines_have_become_a_swarm() -> None:
    found, _, _ = resolved("engine", MANAGER)
    assert isinstance(found.actuator, ContainerActuator)


def test_a_cluster_that_never_answered_is_waited_for_in_words() -> None:
    found, _, seen = resolved("", silent=True)
    assert found.desired.hold.startswith("no engine of cluster lab has answered yet: ")
    assert (found.record.made_on, seen) == ("", Observed())


def test_a_cluster_that_does_not_answer_after_a_restart_has_what_it_had() -> None:
    found, _, seen = resolved("engine", silent=True)
    assert isinstance(found.actuator, ContainerActuator)
    assert (seen.silent, seen.unlisted) == ({"e0"}, {"e0"})


def test_containers_of_a_cluster_that_the_settings_have_lost_are_held() -> None:
    found, _, seen = resolved("engine", cluster="old")
    words = "its containers are on cluster old, and the settings have none of this name any more"
    assert found.desired.hold.startswith(words)
    assert (seen, found.refusal) == (Observed(), found.desired.hold)


@pytest.mark.parametrize(("made_on", "what"), [("engine", "its containers are"), ("swarm", "its service is")])
def test_what_is_on_a_cluster_that_the_settings_have_lost_may_be_left_of_a_removal(made_on: str, what: str) -> None:
    """W23: unknown is not gone. What holds it up is told with the way out."""
    found, services, seen = resolved(made_on, cluster="old", static=True, removed=True)
    assert seen.silent == {EVERYTHING}
    assert seen.why.startswith(f"{what} on cluster old, and the settings have none of this name any more")
    assert "skep workload free web" in seen.why
    assert (found.desired.hold, services.static) == ("", [])


@pytest.mark.parametrize(
    ("made_on", "kinds", "silent", "left"),
    [
        ("", [WORKER], False, False),
        ("", [PLAIN], True, False),
        ("swarm", [WORKER], False, True),
        ("swarm", [PLAIN], False, False),
        ("swarm", [PLAIN, PLAIN], True, True),
    ],
)
def test_a_removal_is_over_only_when_nothing_can_be_left(
    made_on: str, kinds: Sequence[Mapping[str, object]], silent: bool, left: bool
) -> None:
    """Services go with a Swarm that was left, and not with one that does not answer."""
    found, _, seen = resolved(made_on, *kinds, silent=silent, removed=True)
    assert (found.desired.hold, found.refusal, found.desired.size) == ("", "", 0)
    assert seen.silent == ({EVERYTHING} if left else frozenset())


def test_where_nothing_can_be_nothing_is_done() -> None:
    async def main() -> None:
        actuator, wanted = NowhereActuator(Observed()), Desired(WEB.key, 1, 1, "")

        async def advance(phase: object) -> None:
            raise AssertionError

        acts = [
            actuator.create(wanted, creation(), advance),
            actuator.start(wanted, Member("m")),
            actuator.stop(wanted, Member("m")),
            actuator.update(wanted, Member("m"), creation(), advance),
            actuator.adopt(wanted, Member("m"), advance),
            actuator.remove(wanted, Member("m"), creation(), advance),
        ]
        for act in acts:
            with pytest.raises(NotReadyError):
                await act

    run(main)


def test_what_was_kept_of_a_workload_is_forgotten_with_it() -> None:
    async def main() -> None:
        lab = Lab("e0")
        assert isinstance(lab.level, ContainerLevel)
        level = Workloads(Topology(PluginRegistry({}, {})), lab.book, Services(), lab.level)  # type: ignore[arg-type]
        await lab.look()
        lab.hosts["e0"].sicken(True)
        await level.forgotten(document_of(), [])
        assert (await lab.look()).unlisted == {"e0"}

    run(main)
