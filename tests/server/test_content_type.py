"""What a body below /v1 has to be called: nothing that a browser would send for a web page without asking us first."""

from collections.abc import Iterator

import pytest

from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Running, running

FORM = "application/x-www-form-urlencoded"
SCALE = ("POST", "/v1/workloads/web/scale", b'{"count": 7}')


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for the tables: nothing that is refused changes anything."""
    with running(FrontDouble([GROUP, WORKLOAD]), tmp_path_factory.mktemp("type") / "s") as server:
        yield server


@pytest.mark.parametrize(
    "headers",
    [
        {},
        *({"Content-Type": name} for name in (FORM, "text/plain", "multipart/form-data; boundary=a", "", "json")),
        {"Content-Type": "text/plain; application/json"},
        {"Content-Type": "application/json, text/plain"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/workloads/web/scale", b'{"count": 7}'),
        ("/v1/groups/workers/rollback", b"{}"),
        *((f"/v1/{one}", b'{"files": []}') for one in ("apply", "plan", "check", "delete")),
    ],
)
def test_a_body_that_is_not_called_json_is_refused(
    shared: Running, path: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = shared.ask("POST", path, body, headers)
    assert (answer.status, answer.json()["reason"]) == (415, "ContentType")
    assert "Content-Type: application/json" in answer.json()["error"]
    assert shared.request("GET", "/v1/workloads/web")[1]["desired"] == 5


@pytest.mark.parametrize(
    "name", ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"]
)
def test_json_is_taken_by_all_its_names(server: Running, name: str) -> None:
    assert server.ask(*SCALE, {"Content-Type": name}).status == 200


def test_where_nothing_is_sent_nothing_needs_a_name(server: Running) -> None:
    assert server.ask("POST", "/v1/workloads/web/pause").status == 200
    answer = server.ask("POST", "/v1/workloads/web/scale")
    assert (answer.status, answer.json()["error"]) == (422, "is required")


def test_what_is_too_large_is_told_whatever_it_is_called(server: Running) -> None:
    assert server.ask("POST", "/v1/apply", b" " * (5 * 1024 * 1024), {"Content-Type": FORM}).status == 413
