"""DELETE with `orphan`: what is removed leaves its members, as `free` does (semantics.md W23)."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import DEADLINE_S, Running, running
from tests.server.whole import WholeFront

WEB = {"name": "web.json", "text": '{"Name": "web", "Image": "web:1", "Count": 2, "Cluster": "farm"}'}
BOTH = {"name": "both.yaml", "text": "{Name: web, Image: web:1, Count: 5}\n---\n{Name: lost, Image: web:1, Count: 5}"}


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Running]:
    """A real core, with two containers of `web` on an engine of its world."""
    front = WholeFront()
    with running(front, tmp_path / "s") as server:
        server.run(front.start())
        yield server
        server.run(front.stop())


def test_the_containers_stay_and_are_taken_back(whole: Running) -> None:
    before = _containers(whole)
    assert len(before) == 2
    status, changes = whole.request("DELETE", "/v1/workloads/web?orphan=true&why=it%20moves")
    assert (status, [(one["key"], one["change"]) for one in changes]) == (200, [("workload/web", "freed")])
    assert whole.request("GET", "/v1/workloads/web")[0] == 404
    assert whole.request("POST", "/v1/apply", {"files": [WEB]})[0] == 200
    assert _containers(whole) == before


@pytest.mark.parametrize(("plural", "key"), [("groups", "group/workers"), ("workloads", "workload/web")])
def test_a_key_is_forgotten_as_by_free(server: Running, front: FrontDouble, plural: str, key: str) -> None:
    path, generation = f"/v1/{plural}/{key.partition('/')[2]}", {"group/workers": 1, "workload/web": 3}[key]
    assert server.request("DELETE", f"{path}?orphan=true&cascade=false&why=x") == (
        200,
        [{"key": key, "change": "freed", "generation": generation, "changed": []}],
    )
    assert front.reasons == ["x"]
    assert server.request("DELETE", f"{path}?orphan=true")[0] == 404


def test_what_files_name_is_forgotten_and_what_is_not_there_left_out(server: Running, front: FrontDouble) -> None:
    status, changes = server.request("POST", "/v1/delete", {"files": [BOTH], "orphan": True, "why": "x"})
    assert (status, [(one["key"], one["change"]) for one in changes]) == (200, [("workload/web", "freed")])
    assert server.request("POST", "/v1/delete", {"files": [BOTH], "orphan": True}) == (200, [])


def test_nothing_is_forgotten_where_something_is_being_removed(tmp_path: Path) -> None:
    going = replace(WORKLOAD, key="workload/lost", name="lost", removed=True)
    with running(FrontDouble([WORKLOAD, going]), tmp_path / "s") as server:
        status, problem = server.request("POST", "/v1/delete", {"files": [BOTH], "orphan": True})
        assert (status, "workload/lost" in problem["error"]) == (409, True)
        assert server.request("GET", "/v1/workloads/web")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/v1/workloads/web?orphan=true&cascade=true", None),
        ("DELETE", "/v1/groups/workers?cascade=1&orphan=1", None),
        ("POST", "/v1/delete", {"files": [WEB], "orphan": True, "cascade": True}),
    ],
)
def test_both_at_once_are_refused(
    server: Running, front: FrontDouble, method: str, path: str, body: dict[str, Any] | None
) -> None:
    status, answer = server.request(method, path, body)
    assert (status, answer["faults"][0]["path"]) == (422, "orphan")
    assert "cascade" in answer["error"]
    assert [str(key) for key in front.shown] == [GROUP.key, WORKLOAD.key]


def _containers(server: Running) -> set[str]:
    """Of `web`, once both run."""
    deadline_s = time.monotonic() + DEADLINE_S
    while True:
        view = server.request("GET", "/v1/workloads/web")[1]
        if view["converged"] and view["observedGeneration"] == view["generation"]:
            return {member["id"] for member in view["members"]}
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
