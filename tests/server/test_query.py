"""Parameters of a query that a route has not: refused by name, but where probes and clients of 2015 look."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from skep.server.api import create_api
from skep.server.query import OPEN
from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Running, running

PATHS: dict[str, dict[str, Any]] = create_api(FrontDouble()).openapi()["paths"]
ROUTES = [(method.upper(), path) for path, methods in PATHS.items() for method in methods if path not in OPEN]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for a whole table: nothing in it may change anything."""
    with running(FrontDouble([GROUP, WORKLOAD]), tmp_path_factory.mktemp("query") / "s") as server:
        yield server


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("GET", "/v1/openapi.json")])
def test_every_route_refuses_what_it_has_not(shared: Running, method: str, path: str) -> None:
    there = path.replace("{name}", "web").replace("{which}", "node")
    status, answer = shared.request(method, f"{there}?casacde=true&=1", {} if method == "POST" else None)
    assert (status, answer["reason"]) == (422, "Invalid")
    assert [fault["path"] for fault in answer["faults"]] == ["casacde", "''"]


def test_no_request_waits_for_a_thread(shared: Running) -> None:
    """FastAPI gives what is no coroutine to a thread, which comes late while the loop has work: `/status` of 10,000
    workloads took a second during a resync."""
    before = set(threading.enumerate())
    for method, path in [*ROUTES, *(("GET", path) for path in sorted(OPEN))]:
        there = path.replace("{name}", "web").replace("{which}", "node")
        shared.ask(method, f"{there}?casacde=true", b"{}" if method == "POST" else None)
    assert [thread.name for thread in set(threading.enumerate()) - before if "AnyIO" in thread.name] == []


@pytest.mark.parametrize("path", sorted(OPEN))
def test_probes_and_clients_of_2015_may_add_their_own(shared: Running, path: str) -> None:
    """A load balancer that is refused takes the server for dead; the reference document's routes stay valid (W53)."""
    plain, asked = shared.ask("GET", path), shared.ask("GET", f"{path}?_=1795329000&from=lb&=1")
    assert (asked.status, asked.headers["content-type"]) == (200, plain.headers["content-type"])


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("DELETE", "/v1/workloads/web", "cascade, orphan, why"),
        ("POST", "/v1/workloads/web/free", "why"),
        ("GET", "/v1/events", "key, since, wait_s"),
        ("GET", "/v1/events/stream", "key, since"),
        ("GET", "/v1/status", "fresh"),
        ("GET", "/v1/clusters", "none"),
        ("POST", "/submit", "resolve"),
    ],
)
def test_what_a_route_has_is_told(shared: Running, method: str, path: str, known: str) -> None:
    told = shared.request(method, f"{path}?sinc=3&why2=x", {} if path == "/submit" else None)[1]["error"]
    words = f"is no parameter of this path, which has {known}"
    assert told == f"sinc: {words}\nwhy2: {words}"


def test_thousands_of_them_are_told_with_how_many_more_there_are(shared: Running) -> None:
    status, answer = shared.request("GET", "/v1/status?" + "&".join(f"a{n}" for n in range(5_000)))
    assert (status, len(answer["faults"])) == (422, 201)
    assert answer["faults"][-1]["message"] == "and 4800 more faults"
