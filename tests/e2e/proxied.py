"""A skep whose clusters are Engines behind proxies, what it is asked for, and what it asks of them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.skep import Skep
from tests.engines.proxy import Proxy

CREATE = "/containers/create"
LIST = "/containers/json"
IMAGE = "skep/web:1"


@dataclass
class ProxiedSkep(Skep):
    """`clusters`: the URLs of each."""

    clusters: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        settings = " ".join(f"{name}={','.join(urls)}" for name, urls in self.clusters.items())
        return super().environment | {"SKEP_CLUSTER": settings}

    def workload(self, name: str) -> dict[str, Any]:
        """As status shows it."""
        [found] = [view for view in self.views() if view["name"] == name]
        return found

    def condition(self, name: str, type_: str) -> dict[str, Any]:
        """One that holds now; empty if it does not."""
        found = [c for c in self.workload(name)["conditions"] if c["type"] == type_]
        return found[0] if found else {}


def workload(name: str, cluster: str, count: int, **more: object) -> str:
    """A spec of so many containers; `more` are fields as people write them."""
    return json.dumps({"Name": name, "Image": IMAGE, "Count": count, "Cluster": cluster, **more})


def asked_blindly(proxy: Proxy, since: int) -> list[str]:
    """Names that were asked for twice without a look for them in between (W26)."""
    asked: set[str] = set()
    blind = []
    for call in proxy.calls[since:]:
        name = re.match(r"name=([^&]+)", call.query)
        if call.method == "POST" and call.path == CREATE and name:
            blind += [name[1]] if name[1] in asked else []
            asked.add(name[1])
        elif call.method == "GET" and call.path == LIST:
            asked.clear()
        elif call.method == "GET":
            asked.discard(call.path.removeprefix("/containers/").removesuffix("/json"))
    return blind
