"""What a workload has that does not say so itself."""

from dataclasses import dataclass

from skep.model.spec import Key


@dataclass(frozen=True, slots=True)
class Adopted:
    """A container that has no labels of ours and is a workload's all the same (semantics.md W20).

    `source` is where it was found, `slot` the number that it bears. `uid` is the life of the workload's name that
    adopted it, and `fingerprint` the template that it was found to match.
    """

    id: str
    source: str
    slot: str
    uid: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class AdoptedContainers:
    """All that a workload has adopted and not removed yet."""

    key: Key
    containers: tuple[Adopted, ...] = ()
