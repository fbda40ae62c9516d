"""Which key lives on which cluster, told from the specs and from where their members are already."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from skep.control.abilities import can
from skep.control.clusters import unplaced
from skep.control.documents import TEXTS_MAX, SpecDocument, spec_of
from skep.control.groups import CONFIG_TAG, REPLACE_TAG, fingerprint, replace_sha
from skep.model.errors import NotFoundError
from skep.model.machine import InstanceDescription, Membership
from skep.model.spec import GroupSpec, Key, Kind, Spec
from skep.model.state import Record, Role
from skep.ports import Joins, Plugins
from skep.specs.canonical import to_json


def _nowhere_yet(key: Key) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Place:
    """`cluster` is empty for groups that join none of ours, and while it can't be told. `role` is None for workloads.

    `unclear`: it names none of several clusters, and nothing is known to be on one of them already.
    """

    key: Key
    cluster: str
    role: Role | None
    removed: bool
    unclear: bool = False


class Topology:
    """Every question is about the documents that are handed in; only what flavors said of a text is remembered.

    `standing` are the clusters that are there without a manager group: those of the settings, and those whose group
    was freed. `made_in` tells the cluster that members of a key were made on, empty where there are none yet: it goes
    before the only cluster that there is, so that another one moves nobody who names none. A workload stays there
    whatever it names.
    """

    def __init__(
        self,
        plugins: Plugins,
        standing: Callable[[], Collection[str]] = frozenset,
        made_in: Callable[[Key], str] = _nowhere_yet,
    ) -> None:
        self._plugins, self._standing, self._made_in = plugins, standing, made_in
        self._known: dict[bytes, tuple[Role | None, str | None]] = {}

    def places(self, documents: Sequence[SpecDocument]) -> tuple[Place, ...]:
        names = self.names(documents)
        return tuple(self._place(d, names) for d in documents)

    def _place(self, document: SpecDocument, names: Sequence[str]) -> Place:
        role, named = self._facts(document.spec)
        made_in = self._made_in(document.key)
        if made_in and (named is None or document.key.kind is Kind.WORKLOAD):
            return Place(document.key, made_in, role, document.removed)
        if named is not None:
            return Place(document.key, named, role, document.removed)
        return Place(document.key, _only(names), role, document.removed, unclear=len(names) > 1)

    def place_of(self, spec: GroupSpec, documents: Iterable[SpecDocument]) -> Place:
        """Where a group is, or would be, with this spec."""
        document = SpecDocument(spec.key, "", 0, False, to_json(spec), ())
        return self._place(document, self.names(documents))

    def cluster_of(self, document: SpecDocument, documents: Iterable[SpecDocument]) -> str:
        """The cluster that the spec of one key asks for, without a look at most of the others."""
        _, named = self._facts(document.spec)
        return _only(self.names(documents)) if named is None else named

    def names(self, documents: Iterable[SpecDocument]) -> tuple[str, ...]:
        """All clusters, also those that are still to be formed."""
        return tuple(sorted({*self._standing(), *self.formed(documents)}))

    def formed(self, documents: Iterable[SpecDocument]) -> frozenset[str]:
        """The clusters that manager groups form."""
        facts = [self._facts(d.spec) for d in documents if d.key.kind is Kind.GROUP]
        return frozenset(named for role, named in facts if role is Role.MANAGER and named)

    def _facts(self, document: bytes) -> tuple[Role | None, str | None]:
        """Its role and the cluster that it names, None for the only one; asked of the flavor once for each text."""
        if document not in self._known:
            if len(self._known) >= TEXTS_MAX:
                self._known.clear()
            spec = spec_of(document)
            self._known[document] = (self.role(spec), self._named_cluster(spec))
        return self._known[document]

    def machines(self, cluster: str, documents: Sequence[SpecDocument]) -> int:
        """How many machines the groups of a cluster ask for, those that are being removed left out."""
        on_it = {p.key for p in self.places(documents) if p.cluster == cluster and not p.removed}
        specs = [spec_of(d.spec) for d in documents if d.key in on_it]
        return sum(s.allocation.count for s in specs if isinstance(s, GroupSpec))

    def membership(self, spec: GroupSpec) -> Membership | None:
        """What the group's machines are in a Swarm; None where its flavor joins none or is not there."""
        try:
            flavor = self._plugins.flavor(spec.flavor.plugin)
        except NotFoundError:
            return None
        return flavor.membership(spec.flavor.properties) if can(flavor, Joins) else None

    def role(self, spec: Spec) -> Role | None:
        """What the machines of a group are in a Swarm; None for workloads and for groups that join none."""
        membership = self.membership(spec) if isinstance(spec, GroupSpec) else None
        return membership.role if membership else None

    def needs_new_machines(self, old: GroupSpec, new: GroupSpec) -> bool:
        """Whether machines of the old spec would be OUTDATED under the new one."""
        return fingerprint(old) != fingerprint(new) and self._replace_sha(old) != self._replace_sha(new)

    def is_current(self, machine: InstanceDescription, spec: GroupSpec) -> bool:
        """Whether this machine would be left as it is under the spec, as planning.census.is_current says it."""
        made, needs = machine.tags.get(CONFIG_TAG, ""), machine.tags.get(REPLACE_TAG, "")
        return made == fingerprint(spec) or (bool(needs) and needs == self._replace_sha(spec))

    def _replace_sha(self, spec: GroupSpec) -> str:
        return replace_sha(spec, self._plugins.instance(spec.instance.plugin), self._plugins.flavor(spec.flavor.plugin))

    def _named_cluster(self, spec: Spec) -> str | None:
        if not isinstance(spec, GroupSpec):
            return spec.cluster or None
        membership = self.membership(spec)
        if membership is None:
            return ""
        if membership.role is Role.MANAGER:
            return membership.cluster or spec.id
        return "" if membership.elsewhere else membership.cluster or None


def _only(names: Sequence[str]) -> str:
    """The only cluster that there is; empty where there are none or more."""
    return names[0] if len(names) == 1 else ""


def why_astray(place: Place, record: Record, names: Sequence[str]) -> str:
    """Why it can't be told which Swarm a group of workers is of, or where that is; empty where it can."""
    if place.role is not Role.WORKER or not (place.unclear or record.made_in):
        return ""
    if place.unclear:
        return unplaced("", names) + (", or free the group" if place.removed else "")
    if place.cluster in names or place.cluster != record.made_in:
        return ""
    return (
        f"its machines joined cluster {place.cluster}, and there is none of this name any more: give it back to the "
        "settings, name another with Cluster, which takes new machines, or free the group (and apply it again where "
        "only the cluster's name has changed)"
    )


def removed_first(place: Place, places: Sequence[Place]) -> str:
    """What has to go before this group does: workloads, then workers, then managers (semantics.md N40)."""
    others = [p for p in places if p.cluster == place.cluster and p.key != place.key and place.cluster]
    first = [p for p in others if p.key.kind is Kind.WORKLOAD and p.removed]
    if place.role is Role.MANAGER:
        first = others
    return f"{', '.join(str(p.key) for p in first)} must go first" if first else ""
