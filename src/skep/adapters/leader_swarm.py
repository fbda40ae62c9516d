"""Who leads, as Swarm's raft says (infrakit-compat.md 3.9, mode `swarm`)."""

from skep.model.errors import UnavailableError
from skep.model.group_document import LeaderStatus
from skep.ports import Engine


class SwarmLeadership:
    """Implements ports.Leadership: whoever sits on the leading manager of the Swarm leads. `engine` is that of this
    host, not one that forwards."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def status(self) -> LeaderStatus:
        """A worker can't know; nor can a manager without a quorum."""
        own = (await self._engine.info()).node_id
        if not own:
            raise UnavailableError(f"could not ask who leads: {self._engine.endpoint} is in no Swarm")
        leader = next((node for node in await self._engine.nodes({"role": ["manager"]}) if node.leader), None)
        if leader is None:
            return LeaderStatus(leads=False)
        address = f" ({leader.addr})" if leader.addr else ""
        return LeaderStatus(leader.id == own, f"{leader.hostname}{address}")
