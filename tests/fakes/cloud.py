"""A cloud for tests: libcloud's own dummy driver, taught to keep tags and user data, and to misbehave on demand."""

import itertools
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from libcloud.common.exceptions import BaseHTTPError, RateLimitReachedError
from libcloud.compute.base import Node, NodeAuthSSHKey, NodeImage, NodeLocation, NodeSize
from libcloud.compute.drivers.dummy import DummyNodeDriver
from libcloud.compute.types import NodeState

from skep.plugins.cloud_account import CALL_TIMEOUT_S, Account
from skep.plugins.cloud_dialects import Dialect, Request
from skep.ports import Clock

DIALECT = Dialect(
    lambda request: {"ex_metadata": dict(request.tags), "ex_userdata": request.init},
    lambda node: node.extra.get("metadata", {}),
)


@dataclass
class Cloud:
    """What all drivers of one account see.

    throttled: so many calls of a kind are refused. unseen: machines that listings lack for so many listings.
    lost: so many creations are done, and their answer lost. undying: removed machines stay listed.
    hung: calls wait for it. together: how many calls ran at the same moment at most.
    """

    nodes: list[Node] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    throttled: Counter[str] = field(default_factory=Counter)
    unseen: int = 0
    lost: int = 0
    undying: bool = False
    refused: str = ""
    away: bool = False
    hung: threading.Event | None = None
    together: int = 0
    running: int = 0
    numbers: Any = field(default_factory=lambda: itertools.count(100))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def account(self, clock: Clock, provider: str = "dummy", dialect: Dialect = DIALECT) -> Account:
        timeout_s = 0.1 if self.hung else CALL_TIMEOUT_S
        return Account(provider, lambda: CloudDriver(self), dialect, clock, {"account-secret"}, timeout_s)

    def begin(self, call: str) -> None:
        with self.lock:
            self.calls[call] += 1
            self.running += 1
            self.together = max(self.together, self.running)
            if self.throttled[call]:
                self.throttled[call] -= 1
                raise RateLimitReachedError(headers={"retry-after": "7"})
        if self.hung is not None:
            self.hung.wait(30)
        if self.away:
            raise ConnectionError("connection refused")

    def inits(self, id: str) -> int:
        return sum(1 for node in self.nodes if f"dummy:{node.id}" == id and node.extra["userdata"] == "echo ran")


class CloudDriver(DummyNodeDriver):  # type: ignore[misc]
    """Used by one thread at a time, or it says so."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__("creds")
        self.cloud, self.strangers = cloud, list(self.nl)
        self.busy = threading.Lock()

    def begin(self, call: str) -> None:
        assert self.busy.acquire(blocking=False), "two threads use one driver"
        self.cloud.begin(call)

    def end(self) -> None:
        with self.cloud.lock:
            self.cloud.running -= 1
        self.busy.release()

    def list_nodes(self) -> list[Node]:
        try:
            self.begin("list")
            late = self.cloud.unseen > 0
            self.cloud.unseen -= late
            return [*self.strangers, *([] if late else self.cloud.nodes)]
        finally:
            self.end()

    def create_node(
        self,
        name: str,
        size: NodeSize,
        image: NodeImage,
        location: NodeLocation | str | None = None,
        auth: NodeAuthSSHKey | None = None,
        ex_metadata: dict[str, str] | None = None,
        ex_userdata: str = "",
        ex_note: str = "",
    ) -> Node:
        try:
            self.begin("create")
            if self.cloud.refused:
                raise BaseHTTPError(400, f"{self.cloud.refused} {ex_userdata} account-secret")
            node = super().create_node(name, size, image)
            node.id, node.name = str(next(self.cloud.numbers)), name
            node.created_at = datetime.now(UTC)
            node.extra = {"metadata": ex_metadata, "userdata": ex_userdata, "note": ex_note}
            node.extra |= {"location": getattr(location, "name", location), "key": auth.pubkey if auth else ""}
            self.cloud.nodes.append(node)
            if self.cloud.lost:
                self.cloud.lost -= 1
                raise BaseHTTPError(504, "gateway timeout")
            return node
        finally:
            self.end()

    def destroy_node(self, node: Node) -> bool:
        try:
            self.begin("destroy")
            [found] = [kept for kept in self.cloud.nodes if kept.id == node.id]
            if not self.cloud.undying:
                self.cloud.nodes.remove(found)
            found.state = NodeState.RUNNING if self.cloud.undying else NodeState.TERMINATED
            return True
        finally:
            self.end()


def node(state: str, extra: dict[str, Any]) -> Node:
    """A machine as any driver would tell of it."""
    return Node("7", "web", state, [], [], None, extra=extra)


EXAMPLE = Request({"infrakit.group": "g", "infrakit.config_sha": "aB/c=", "skep.machine": "skep-1"}, "echo ran", "t")
