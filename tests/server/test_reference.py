"""The two routes of the reference document (semantics.md W53), as its readers type them."""

import json
from dataclasses import replace

import pytest

from skep.model.errors import RefusedError
from skep.model.spec import Kind
from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Running

NGINX = b'{"Name": "nginx", "Image": "nginx:1.9.6", "Count": 5}'
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("headers", [{}, FORM, {"Content-Type": "application/json"}, {"Content-Type": "nonsense"}])
def test_a_cluster_state_object_is_taken_whatever_its_content_type(
    server: Running, front: FrontDouble, headers: dict[str, str]
) -> None:
    first = server.ask("POST", "/submit", NGINX, headers)
    assert (first.status, first.json()) == (
        201,
        {"key": "workload/nginx", "change": "created", "generation": 1, "changed": []},
    )
    assert front.kind is Kind.WORKLOAD
    again = server.ask("POST", "/submit", NGINX, headers)
    assert (again.status, again.json()["change"]) == (200, "unchanged")
    changed = server.ask("POST", "/submit", NGINX.replace(b"5", b"6"), headers)
    assert (changed.status, changed.json()["change"]) == (200, "configured")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"),
        (b"Name=nginx&Count=5", "no JSON"),
        (b"Name: nginx", "no JSON"),
        (b"\xff", "not UTF-8"),
        (NGINX + NGINX.replace(b"nginx", b"other"), "one at a time"),
    ],
)
def test_what_is_no_cluster_state_object_is_refused(
    server: Running, front: FrontDouble, body: bytes, words: str
) -> None:
    answer = server.ask("POST", "/submit", body, FORM)
    assert answer.status == 422, answer
    assert words in answer.json()["error"]
    assert "workload/nginx" not in map(str, front.shown)


def test_a_refusal_is_a_conflict(server: Running, front: FrontDouble) -> None:
    front.error = RefusedError("workload/nginx is being removed")
    answer = server.ask("POST", "/submit", NGINX)
    assert (answer.status, answer.json()["reason"]) == (409, "Refused")


def test_status_has_the_four_fields_in_their_order_and_workloads_only(server: Running, front: FrontDouble) -> None:
    idle = replace(WORKLOAD, key="workload/idle", name="idle", image="skep/idle:1", desired=0, current=0)
    front.shown = {key: view for key, view in front.shown.items() if view.name in (GROUP.name, WORKLOAD.name)}
    front.script.append((GROUP, WORKLOAD, idle))
    answer = server.ask("GET", "/status")
    assert answer.status == 200
    assert answer.json() == [
        {"Name": "idle", "Image": "skep/idle:1", "DesiredCount": 0, "CurrentCount": 0},
        {"Name": "web", "Image": "skep/web:1", "DesiredCount": 5, "CurrentCount": 2},
    ]
    pairs = json.loads(answer.body, object_pairs_hook=lambda pairs: [name for name, _ in pairs])
    assert pairs == [["Name", "Image", "DesiredCount", "CurrentCount"]] * 2
