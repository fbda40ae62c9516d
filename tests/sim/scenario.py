"""What a seed stands for: a cluster, what people ask of it, and what befalls it and its controller."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.fakes.kernel import Faults
from tests.sim.controller import group, workload

ADDRESSES = tuple(f"10.9.0.{10 + n}" for n in range(5))
IMAGES = ("web:1", "web:2", "web:3")
BAD_IMAGE = "web:bad"

Document = dict[str, object]


@dataclass
class Wishes:
    """What people want now, and how they change their minds. Every method gives a document to apply."""

    rng: Random
    documents: dict[str, Document] = field(default_factory=dict)
    managers: int = 1
    rolled: bool = False
    notes: Counter[str] = field(default_factory=Counter)

    def first(self) -> Sequence[Document]:
        self.managers = self.rng.choice([1, 1, 3, 3, 5])
        wanted = [self.of_managers(), self.of_workers()]
        wanted += [self.of_pets()] if self.rng.random() < 0.3 else []
        wanted += [self.of_workload(f"web{n}") for n in range(self.rng.randint(0, 3))]
        return wanted

    def of_managers(self) -> Document:
        spec = group("managers", {"LogicalIDs": list(ADDRESSES[: self.managers])}, "manager", **self._note("managers"))
        return self._put("managers", _updating(spec, MaxUnavailable=1))

    def of_workers(self) -> Document:
        spec = group("workers", {"Size": self.rng.randint(0, 4)}, "worker", **self._note("workers"))
        surge = self.rng.randint(0, 2)
        return self._put("workers", _updating(spec, MaxSurge=surge, MaxUnavailable=self.rng.randint(not surge, 1)))

    def of_pets(self) -> Document:
        names = self.rng.sample(["ann", "bob", "cid"], self.rng.randint(1, 2))
        spec = group("pets", {"LogicalIDs": sorted(names)}, "worker", **self._note("pets"))
        return self._put("pets", _updating(spec, MaxUnavailable=self.rng.randint(1, 2)))

    def of_workload(self, name: str, image: str = "") -> Document:
        return self._put(name, workload(name, self.rng.randint(1, 5), image or self.rng.choice(IMAGES)))

    def changed(self) -> Document:
        """Another size, another template, another image."""
        name = self.rng.choice(sorted(self.documents))
        if name == "managers":
            return self._other_managers()
        if name in ("workers", "pets"):
            self.notes[name] += self.rng.random() < 0.5
            return self.of_workers() if name == "workers" else self.of_pets()
        return self.of_workload(name, BAD_IMAGE if self.rng.random() < 0.15 else "")

    def _other_managers(self) -> Document:
        """Once it was rolled it stays above one: a single manager is never rolled (semantics.md N7)."""
        if self.rng.random() < 0.4 and self.managers > 1:
            self.rolled = True
            self.notes["managers"] += 1
        else:
            self.managers = self.rng.choice([3, 5] if self.rolled else [1, 3, 5])
        return self.of_managers()

    def _put(self, name: str, document: Document) -> Document:
        self.documents[name] = document
        return document

    def _note(self, name: str) -> dict[str, object]:
        return {"Note": str(self.notes[name])} if self.notes[name] else {}


def _updating(document: Document, **updating: int) -> Document:
    properties = document["Properties"]
    assert isinstance(properties, dict)
    return {**document, "Properties": {**properties, "Images": [*IMAGES, BAD_IMAGE], "Updating": updating}}


def drawn_faults(rng: Random) -> Faults:
    """Some of them, at most one act in six."""

    def chance(most: float) -> float:
        return rng.uniform(0.0, most) if rng.random() < 0.4 else 0.0

    return Faults(refuse=chance(0.15), lose=chance(0.15), slow=chance(0.1), silent=chance(0.15), stale=chance(0.15))


def size_of(document: Document) -> int:
    """Machines of a group."""
    properties: Any = document["Properties"]
    allocation = properties["Allocation"]
    return len(allocation["LogicalIDs"]) if "LogicalIDs" in allocation else allocation["Size"]


def surge_of(document: Document) -> int:
    """How many more there may be during a roll; one is the default."""
    properties: Any = document["Properties"]
    pets = "LogicalIDs" in properties["Allocation"]
    return 0 if pets else properties.get("Updating", {}).get("MaxSurge", 1)
