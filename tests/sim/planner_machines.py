"""Machines as they really are, in virtual time, and how they change without us."""

from dataclasses import dataclass, field

from skep.model.state import Entry, Health, Life, Member


@dataclass
class Machine:
    """What is really there. `joined`: it is, or its dead membership is, in the cluster."""

    id: str
    slot: str | None
    fingerprint: str
    replace_sha: str
    request: str
    created_s: float
    boots_s: float
    well_s: float
    life: Life = Life.PENDING
    joined: bool = False
    sick_until_s: float = 0.0
    sick_since_s: float | None = None
    broken_disk: bool = False
    drift: tuple[str, ...] = ()
    leader: bool = False
    foreign: bool = False
    rolled_back: bool = False

    def healthy(self, now_s: float) -> bool:
        return self.life is Life.RUNNING and now_s >= self.well_s and now_s >= self.sick_until_s

    @property
    def exists(self) -> bool:
        return self.life is not Life.GONE


@dataclass
class World:
    """Machines by ID, and the rules by which they change without us."""

    now_s: float = 0.0
    machines: dict[str, Machine] = field(default_factory=dict)
    lost: list[Machine] = field(default_factory=list)
    count: int = 0

    def advance(self, now_s: float) -> None:
        self.now_s = now_s
        for machine in self.machines.values():
            if machine.life is Life.PENDING and now_s >= machine.boots_s:
                machine.life, machine.joined = Life.RUNNING, True
            well = machine.healthy(now_s)
            machine.sick_since_s = None if well else machine.sick_since_s if machine.sick_since_s is not None else now_s

    def create(self, entry: Entry, boot_s: float) -> None:
        """Repeatable: the request names the machine."""
        if any(m.request == entry.request for m in self.machines.values()):
            return
        self.count += 1
        self.machines[f"m{self.count:03d}"] = Machine(
            f"m{self.count:03d}",
            entry.slot,
            entry.fingerprint,
            entry.replace_sha,
            entry.request,
            self.now_s,
            self.now_s + boot_s,
            self.now_s + boot_s + 2,
        )

    def healthy(self) -> list[Machine]:
        return [m for m in self.machines.values() if m.healthy(self.now_s)]

    def elect(self) -> None:
        """Leadership moves to the first that answers, as far as anyone can tell."""
        answering = self.healthy()
        if any(m.leader for m in answering):
            return
        for machine in self.machines.values():
            machine.leader = bool(answering) and machine is answering[0]

    def listing(self) -> tuple[Member, ...]:
        self.elect()
        return tuple(self._member(m) for m in self.machines.values())

    def _member(self, machine: Machine) -> Member:
        runs = machine.life is Life.RUNNING
        well = machine.healthy(self.now_s)
        health = Health.HEALTHY if well else Health.UNHEALTHY if runs else Health.UNKNOWN
        since = machine.sick_since_s
        return Member(
            id=machine.id,
            slot=machine.slot,
            fingerprint=machine.fingerprint,
            replace_sha=machine.replace_sha,
            life=machine.life,
            health=health,
            source=f"box{int(machine.id[1:]) % 2}",
            request=machine.request,
            created_s=machine.created_s,
            sick_s=0.0 if well or since is None else max(self.now_s - since, 0.001),
            drift=machine.drift if runs else (),
            rolled_back=machine.rolled_back,
            leader=machine.leader,
            foreign=machine.foreign,
        )
