"""A simulated Swarm: its raft members, its nodes, and what SwarmKit refuses (semantics.md 4.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from skep.model.engine import JoinTokens, Node
from skep.model.errors import ConflictError, NotFoundError, RejectedError, UnavailableError
from tests.fakes.host import Host
from tests.fakes.kernel import Kernel
from tests.fakes.services import Orchestrator

NO_LEADER = (
    "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online."
    " Make sure more than half of the managers are online."
)
NO_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm'
    " and try again."
)
OUT_OF_SEQUENCE = "rpc error: code = Unknown desc = update out of sequence"


@dataclass
class SimNode:
    """`role` is the one asked for, `in_raft` the one it has. `epoch` outdates timers of earlier contacts."""

    id: str
    host: Host
    role: str
    in_raft: bool
    addr: str
    state: str = "ready"
    availability: str = "active"
    labels: dict[str, str] = field(default_factory=dict)
    version: int = 10
    lost_s: float | None = None
    epoch: int = 0


class SimSwarm:
    """Everything that the members' raft log says, and the clockwork of its leader."""

    def __init__(self, kernel: Kernel, founder: Host, addr: str) -> None:
        self.kernel = kernel
        self.id = kernel.identity()
        self.founder = founder.name
        self.founder_group = founder.labels.get("skep.group", "")
        self.nodes: dict[str, SimNode] = {}
        self.leader: SimNode | None = None
        self.labels: Mapping[str, str] = {}
        self.version = 10
        self.services = Orchestrator(self)
        self._electing = False
        self._secrets = {role: kernel.identity() for role in ("worker", "manager")}
        self.leader = self._add(founder, "manager", addr)

    # --- membership ---------------------------------------------------------------------------------------------

    def tokens(self) -> JoinTokens:
        return JoinTokens(
            worker=f"SWMTKN-1-{self.id}-{self._secrets['worker']}",
            manager=f"SWMTKN-1-{self.id}-{self._secrets['manager']}",
        )

    def admit(self, host: Host, token: str, addr: str) -> None:
        """The last step of a join; the caller has made sure that a manager answers."""
        roles = {self.tokens().worker: "worker", self.tokens().manager: "manager"}
        if token not in roles:
            raise RejectedError(
                "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster"
            )
        self._add(host, roles[token], addr)
        self.services.reconcile()

    def _add(self, host: Host, role: str, addr: str) -> SimNode:
        node = SimNode(self.kernel.identity(), host, role, in_raft=role == "manager", addr=addr)
        self.nodes[node.id] = node
        host.swarm, host.node_id, host.swarm_state = self, node.id, "active"
        return node

    def raft(self) -> list[SimNode]:
        return [node for node in self.nodes.values() if node.in_raft]

    def has_quorum(self) -> bool:
        members = self.raft()
        return sum(node.host.alive for node in members) >= len(members) // 2 + 1

    def can_lose(self, leaving: SimNode) -> bool:
        """SwarmKit's CanRemoveMember."""
        members = self.raft()
        stay = sum(self.reachability(node) == "reachable" for node in members if node is not leaving)
        return stay >= (len(members) - 1) // 2 + 1

    def serve(self, host: Host) -> None:
        """Raise what a client of this host's engine is told when it can't manage the Swarm."""
        node = self.nodes.get(host.node_id)
        if node is None or not node.in_raft:
            raise UnavailableError(NO_MANAGER)
        if self.leader is None:
            raise UnavailableError(NO_LEADER)

    def label(self, version: int, labels: Mapping[str, str]) -> None:
        """Change the labels of the Swarm itself."""
        if version != self.version:
            raise ConflictError(OUT_OF_SEQUENCE)
        self.labels = dict(labels)
        self.version += 1

    # --- contact and leadership -----------------------------------------------------------------------------------

    def contact(self, node_id: str, *, restarted: bool) -> None:
        """A member's host went away or came back."""
        node = self.nodes.get(node_id)
        if node is None or node.host.alive == (node.lost_s is None):
            return
        if node.host.alive:
            node.lost_s = None
            self.services.host_returned(node, restarted=restarted)
            self._expect(node, "ready", self.kernel.timings.reconnect_s)
        else:
            node.lost_s = self.kernel.now_s()
            self._expect(node, "down", self.kernel.timings.down_s)
        self._check_leader()

    def _expect(self, node: SimNode, state: str, after_s: float) -> None:
        node.epoch += 1
        self.kernel.later(after_s, self._settle, node, node.epoch, state)

    def _settle(self, node: SimNode, epoch: int, state: str) -> None:
        """Without a leader nothing is noticed; the next leader starts afresh."""
        if node.epoch != epoch or self.leader is None or self.nodes.get(node.id) is not node:
            return
        if node.state != state:
            node.state = state
            node.version += 1
            self.kernel.changed(f"node {node.host.name} {state}", by_us=False)
            self.services.reconcile()

    def _check_leader(self) -> None:
        if self.leader is not None and not (self.leader.host.alive and self.leader.in_raft and self.has_quorum()):
            self.leader = None
            self.kernel.changed(f"swarm {self.id[:5]} lost its leader", by_us=False)
        if self.leader is None and not self._electing and self.has_quorum():
            self._electing = True
            self.kernel.later(self.kernel.spread(self.kernel.timings.elect_s), self._elect)

    def _elect(self) -> None:
        """The new leader does not know its nodes until they register again."""
        self._electing = False
        if not self.has_quorum():
            return
        self.leader = self.kernel.random.choice([node for node in self.raft() if node.host.alive])
        timings = self.kernel.timings
        for node in self.nodes.values():
            if node.state != "down":
                node.state = "unknown"
                node.version += 1
            lost = node.lost_s is not None
            self._expect(node, "down" if lost else "ready", timings.down_s if lost else timings.reconnect_s)
        for node in self.raft():
            if node.role == "worker":
                self.kernel.later(timings.demote_s, self._leave_raft, node)
        self.kernel.changed(f"swarm {self.id[:5]} elected {self.leader.host.name}", by_us=False)
        self.services.reconcile()

    # --- nodes ----------------------------------------------------------------------------------------------------

    def reachability(self, node: SimNode) -> str:
        if not node.in_raft:
            return ""
        silent_s = 0.0 if node.lost_s is None else self.kernel.now_s() - node.lost_s
        return "unreachable" if silent_s >= self.kernel.timings.unreachable_s else "reachable"

    def shown(self, node: SimNode) -> Node:
        return Node(
            id=node.id,
            version=node.version,
            hostname=node.host.name,
            addr=node.addr,
            role=node.role,
            availability=node.availability,
            state=node.state,
            message="heartbeat failure" if node.state == "down" else "",
            reachability=self.reachability(node),
            leader=node is self.leader,
            manager_addr=f"{node.addr}:2377" if node.in_raft else "",
            labels=dict(node.labels),
            engine_labels=dict(node.host.labels),
        )

    def named(self, node_id: str) -> SimNode:
        if node_id not in self.nodes:
            raise NotFoundError(f"rpc error: code = NotFound desc = node {node_id} not found")
        return self.nodes[node_id]

    def update_node(
        self, node_id: str, version: int, availability: str | None, role: str | None, labels: Mapping[str, str] | None
    ) -> None:
        node = self.named(node_id)
        if node.version != version:
            raise ConflictError(OUT_OF_SEQUENCE)
        if role == "worker" and node.role == "manager":
            self._demote(node)
        if role == "manager" and node.role == "worker":
            node.role = "manager"
            self.kernel.later(self.kernel.spread(self.kernel.timings.join_s), self._enter_raft, node)
        node.availability = availability or node.availability
        node.labels = dict(labels) if labels is not None else node.labels
        node.version += 1
        self.kernel.changed(f"node {node.host.name} updated: {availability or ''} {role or ''}", by_us=True)
        self.services.reconcile()

    def _demote(self, node: SimNode) -> None:
        if sum(other.role == "manager" for other in self.nodes.values()) == 1:
            raise RejectedError(
                "rpc error: code = FailedPrecondition desc = attempting to demote the last manager of the swarm"
            )
        if not self.can_lose(node):
            raise RejectedError(
                "rpc error: code = FailedPrecondition desc = can't remove member from the raft: this would result in a"
                " loss of quorum"
            )
        node.role = "worker"
        self.kernel.later(self.kernel.spread(self.kernel.timings.demote_s), self._leave_raft, node)

    def _leave_raft(self, node: SimNode) -> None:
        """The role manager's second look: what is not safe now is tried again, silently."""
        if node.role != "worker" or not node.in_raft or self.leader is None:
            return
        if not self.can_lose(node):
            self.kernel.later(self.kernel.timings.demote_retry_s, self._leave_raft, node)
            return
        node.in_raft = False
        node.version += 1
        if node is self.leader:
            self.leader = next(other for other in self.raft() if other.host.alive)
        self.kernel.changed(f"node {node.host.name} left the raft", by_us=True)
        self._check_leader()

    def _enter_raft(self, node: SimNode) -> None:
        if node.role == "manager" and not node.in_raft and node.host.alive:
            node.in_raft = True
            node.version += 1
            self.kernel.changed(f"node {node.host.name} entered the raft", by_us=True)

    def remove_node(self, node_id: str, force: bool) -> None:
        node = self.named(node_id)
        if node.in_raft:
            raise RejectedError(
                f"rpc error: code = FailedPrecondition desc = node {node_id} is a cluster manager and is a member of"
                " the raft cluster. It must be demoted to worker before removal"
            )
        if node.state == "ready" and not force:
            raise RejectedError(
                f"rpc error: code = FailedPrecondition desc = node {node_id} is not down and can't be removed"
            )
        del self.nodes[node_id]
        self.services.node_removed(node_id)
        if node.host.swarm is self and node.host.node_id == node_id:
            node.host.swarm, node.host.node_id, node.host.swarm_state = None, "", "error"
        self.kernel.changed(f"node {node.host.name} removed", by_us=True)
        self.services.reconcile()
