"""The routes, over the real socket."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from skep.model.errors import (
    BugError,
    ConflictError,
    NotReadyError,
    RejectedError,
    SkepError,
    StaleTermError,
    UnavailableError,
)
from skep.model.spec import Kind
from skep.model.state import Event
from skep.model.view import ClusterView, EngineView
from tests.server.front_double import GROUP, WORKLOAD, FrontDouble
from tests.server.running import Running, running

WEB = {"name": "web.yaml", "text": '{"Name": "web", "Count": 3}'}
NEW = {"name": "new.yaml", "text": '{"Name": "new", "Count": 1}'}


def test_status_says_who_answers_and_shows_every_key_in_camel_case(server: Running) -> None:
    status, body = server.request("GET", "/v1/status")
    assert status == 200
    assert body["server"] == {
        "controller": "default",
        "version": "0.1.0",
        "engine": "unix:///var/run/docker.sock",
        "stateDir": "/var/lib/skep",
        "pid": 4711,
    }
    assert [view["key"] for view in body["groups"]] == ["group/workers"]
    (web,) = body["workloads"]
    assert (web["desired"], web["ready"], web["observedGeneration"], web["observedAgeSeconds"]) == (5, 2, 3, 0.5)
    assert web["conditions"][1] == {
        "type": "Progressing",
        "status": True,
        "reason": "Updating",
        "message": "",
        "sinceSeconds": 1_795_329_000.0,
    }
    assert (web["members"], web["endpoints"]) == ([], [])
    (member,) = server.request("GET", "/v1/workloads/web")[1]["members"]
    assert (member["ageSeconds"], member["wanted"]) == (75.0, 5)


def test_apply_stores_all_files_and_says_what_changed(server: Running, front: FrontDouble) -> None:
    status, body = server.request("POST", "/v1/apply", {"files": [WEB, NEW], "adopt": True})
    assert (status, body) == (
        200,
        [
            {"key": "workload/web", "change": "configured", "generation": 4, "changed": ["Count 5 -> 3"]},
            {"key": "workload/new", "change": "created", "generation": 1, "changed": []},
        ],
    )
    assert front.adopted
    assert server.request("POST", "/v1/apply", {"files": [WEB]})[1][0]["change"] == "unchanged"
    assert not front.adopted


@pytest.mark.parametrize("path", ["/v1/apply", "/v1/plan"])
def test_the_only_kind_that_files_may_hold_is_passed_on(server: Running, front: FrontDouble, path: str) -> None:
    assert server.request("POST", path, {"files": [WEB], "kind": "workload"})[0] == 200
    assert front.kind is Kind.WORKLOAD
    assert server.request("POST", path, {"files": [WEB]})[0] == 200
    assert front.kind is None


def test_check_tells_the_keys_and_changes_nothing(server: Running, front: FrontDouble) -> None:
    assert server.request("POST", "/v1/check", {"files": [WEB, NEW]}) == (200, ["workload/web", "workload/new"])
    assert server.request("GET", "/v1/workloads/new")[0] == 404
    assert front.asked_by == []


def test_plan_tells_actions_and_changes_nothing(server: Running) -> None:
    status, body = server.request("POST", "/v1/plan", {"files": [NEW]})
    assert status == 200
    assert body == [
        {
            "key": "workload/new",
            "change": "created",
            "actions": [
                {
                    "kind": "create",
                    "reason": "Missing",
                    "slot": "",
                    "member": "",
                    "text": "create service new with 1 replicas",
                }
            ],
            "notes": ["waits for a node"],
        }
    ]
    assert server.request("GET", "/v1/workloads/new")[0] == 404


def test_delete_removes_what_the_files_name(server: Running, front: FrontDouble) -> None:
    status, body = server.request("POST", "/v1/delete", {"files": [WEB], "cascade": True})
    assert (status, body) == (200, [{"key": "workload/web", "change": "removed", "generation": 4, "changed": []}])
    assert front.cascaded


@pytest.mark.parametrize(("plural", "name"), [("groups", "workers"), ("workloads", "web")])
def test_a_key_is_listed_described_scaled_remembered_and_removed(server: Running, plural: str, name: str) -> None:
    assert [view["name"] for view in server.request("GET", f"/v1/{plural}")[1]] == [name]
    before = server.request("GET", f"/v1/{plural}/{name}")[1]
    status, change = server.request("POST", f"/v1/{plural}/{name}/scale", {"count": 7})
    assert (status, change["generation"]) == (200, before["generation"] + 1)
    assert server.request("GET", f"/v1/{plural}/{name}/spec") == (200, {"Name": name, "Count": 7})
    history = server.request("GET", f"/v1/{plural}/{name}/history")[1]
    assert [revision["generation"] for revision in history] == list(range(change["generation"], 0, -1))
    assert (history[0]["who"], history[0]["whenSeconds"]) == ("uid 0 (root)", 1_795_329_000.0 + change["generation"])
    (gone,) = server.request("DELETE", f"/v1/{plural}/{name}?cascade=true")[1]
    assert gone["change"] == "removed"
    assert server.request("GET", f"/v1/{plural}/{name}")[0] == 404


def test_why_is_told_in_the_body_and_where_there_is_none_in_the_query(server: Running, front: FrontDouble) -> None:
    asked = [
        server.request("POST", "/v1/apply", {"files": [WEB], "why": "a"}),
        server.request("POST", "/v1/workloads/web/scale", {"count": 9, "why": "b"}),
        server.request("POST", "/v1/workloads/web/retry?why=c%20%C3%A4"),
        server.request("POST", "/v1/groups/workers/free?why=d"),
        server.request("POST", "/v1/delete", {"files": [WEB], "why": "e"}),
        server.request("POST", "/v1/apply", {"files": [WEB]}),
        server.request("POST", "/v1/workloads/web/rollback", {"to": 3, "why": "g"}),
        server.request("POST", "/v1/workloads/web/rollback", {}),
        server.request("DELETE", "/v1/workloads/web?why=f"),
    ]
    assert [status for status, _ in asked] == [200] * 9
    assert front.reasons == ["a", "b", "c ä", "d", "e", "", "g", "", "f"]
    assert front.rolled_to == [3, None]


@pytest.mark.parametrize(("plural", "name"), [("groups", "workers"), ("workloads", "web")])
def test_a_key_is_tried_again_and_freed(server: Running, front: FrontDouble, plural: str, name: str) -> None:
    before = server.request("GET", f"/v1/{plural}/{name}")[1]["generation"]
    status, change = server.request("POST", f"/v1/{plural}/{name}/retry")
    assert (status, change["change"], change["generation"]) == (200, "configured", before + 1)
    status, change = server.request("POST", f"/v1/{plural}/{name}/free")
    assert (status, change["change"], change["generation"]) == (200, "freed", before + 1)
    assert len(front.asked_by) == 2
    assert [server.request("POST", f"/v1/{plural}/{name}/{act}")[0] for act in ("retry", "free")] == [404, 404]


@pytest.mark.parametrize(("plural", "name"), [("groups", "workers"), ("workloads", "web")])
def test_roll_outs_are_paused_and_resumed(server: Running, plural: str, name: str) -> None:
    """W49: what is wanted stays the same, and so does its number."""
    before = server.request("GET", f"/v1/{plural}/{name}")[1]
    status, change = server.request("POST", f"/v1/{plural}/{name}/pause?why=to%20look")
    assert (status, change["change"], change["generation"]) == (200, "paused", before["generation"])
    assert server.request("GET", f"/v1/{plural}/{name}")[1]["paused"].endswith(": to look")
    status, change = server.request("POST", f"/v1/{plural}/{name}/resume")
    assert (status, change["change"], change["generation"]) == (200, "resumed", before["generation"])
    assert server.request("GET", f"/v1/{plural}/{name}")[1] == before
    assert server.request("POST", f"/v1/{plural}/nobody/pause")[0] == 404


def test_clusters_are_shown_with_their_engines(server: Running, front: FrontDouble) -> None:
    engine = EngineView("host-1", "unix:///var/run/docker.sock", "engine", "answering", version="20.10.24")
    front.known_clusters = (ClusterView("local", "engine", "settings", (engine,)),)
    status, (cluster,) = server.request("GET", "/v1/clusters")
    assert status == 200
    assert (cluster["name"], cluster["kind"], cluster["origin"], cluster["partitioned"]) == (
        "local",
        "engine",
        "settings",
        False,
    )
    assert (cluster["engines"][0]["state"], cluster["engines"][0]["operatingSystem"]) == ("answering", "")


def test_names_are_taken_as_they_are_escaped(server: Running) -> None:
    status, body = server.request("GET", "/v1/workloads/a%20b%C3%A9")
    assert (status, body["error"]) == (404, "there is no workload/a bé")


def test_events_come_from_a_number_on(server: Running, front: FrontDouble) -> None:
    front.log = [Event(n, 10.0 + n, "workload/web", "Missing", f"act {n}") for n in (1, 2, 3)]
    assert server.request("GET", "/v1/events?since=2")[1] == [
        {"seq": 3, "atSeconds": 13.0, "key": "workload/web", "reason": "Missing", "message": "act 3"}
    ]
    assert server.request("GET", "/v1/events?since=3&wait_s=0.05") == (200, [])


def test_events_of_one_key_are_told_alone(server: Running, front: FrontDouble) -> None:
    front.log = [Event(n, 10.0 + n, f"workload/{name}", "Missing", "") for n, name in enumerate(("web", "db"), 1)]
    assert [event["seq"] for event in server.request("GET", "/v1/events?key=workload/db")[1]] == [2]


@pytest.mark.parametrize("which", ["node", "example"])
def test_images_are_made_by_name(server: Running, which: str) -> None:
    assert server.request("POST", f"/v1/images/{which}") == (200, {"image": f"skep/{which}:1"})


ERRORS: list[tuple[SkepError, int, str]] = [
    (ConflictError("changed meanwhile"), 409, "Conflict"),
    (UnavailableError("the engine does not answer"), 503, "Unavailable"),
    (NotReadyError("no manager yet"), 503, "NotReady"),
    (StaleTermError("another one leads"), 503, "StaleTerm"),
    (RejectedError("the engine says no"), 502, "Rejected"),
]


@pytest.mark.parametrize(("error", "status", "reason"), ERRORS, ids=lambda value: type(value).__name__)
def test_each_error_has_its_status_and_its_word(
    server: Running, front: FrontDouble, error: SkepError, status: int, reason: str
) -> None:
    front.error = error
    answer = server.request("GET", "/v1/status")
    assert answer == (status, {"error": str(error), "reason": reason, "faults": [], "incident": ""})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"files": [WEB], "why": "w" * 1001}, "why: must have at most 1000 characters"),
        ({"files": []}, "files: must not be empty"),
        ({"files": [WEB], "adopt": "yes"}, "adopt: must be true or false, not a string"),
        ({}, "files: is required"),
    ],
)
def test_what_is_wrong_in_a_request_is_told_as_in_a_spec(server: Running, body: dict[str, object], told: str) -> None:
    assert server.request("POST", "/v1/apply", body)[1]["error"] == told


def test_a_refusal_carries_its_words(server: Running, front: FrontDouble) -> None:
    (key,) = (key for key in front.shown if key.kind == "group")
    front.shown[key] = replace(front.shown[key], role="manager")
    status, body = server.request("DELETE", "/v1/groups/workers")
    assert (status, body["reason"]) == (409, "Refused")
    assert "--cascade" in body["error"]


def test_a_bad_spec_gets_every_fault_with_its_place(server: Running) -> None:
    files = [{"name": "a.yaml", "text": "nonsense"}, {"name": "b.yaml", "text": '{"Name": "x"}'}, WEB]
    status, body = server.request("POST", "/v1/apply", {"files": files})
    assert (status, body["reason"]) == (422, "Invalid")
    assert [(fault["file"], fault["line"], fault["path"]) for fault in body["faults"]] == [
        ("a.yaml", 1, ""),
        ("b.yaml", 1, "Count"),
    ]
    assert body["error"].count("\n") == 1


@pytest.mark.parametrize("error", [BugError("size would be exceeded by 5eCret"), ZeroDivisionError("5eCret")])
def test_a_bug_is_one_line_with_an_incident_and_its_traceback_is_in_the_log_alone(
    server: Running, front: FrontDouble, error: Exception, capfd: pytest.CaptureFixture[str]
) -> None:
    front.error = error
    status, body = server.request("GET", "/v1/status")
    assert (status, body["reason"]) == (500, "Bug")
    assert body["incident"] in body["error"]
    assert "5eCret" not in str(body)
    assert "\n" not in body["error"]
    output = "".join(capfd.readouterr())
    assert body["incident"] in output
    assert f"{type(error).__name__}: {error}" in output
    front.error = None
    assert server.request("GET", "/v1/status")[0] == 200


BAD_REQUESTS: list[tuple[str, str, object, int, str]] = [
    ("POST", "/v1/apply", b"{", 422, "JSON"),
    ("POST", "/v1/apply", b"\xff\xfe", 422, ""),
    ("POST", "/v1/apply", b"", 422, "equired"),
    ("POST", "/v1/apply", [], 422, ""),
    ("POST", "/v1/apply", {}, 422, "files: is required"),
    ("POST", "/v1/apply", {"files": "web"}, 422, "files"),
    ("POST", "/v1/apply", {"files": []}, 422, "files: must not be empty"),
    ("POST", "/v1/apply", {"files": [{"name": "a"}]}, 422, "files.0.text: is required"),
    ("POST", "/v1/apply", {"files": [{"name": 1, "text": ""}]}, 422, "files.0.name"),
    ("POST", "/v1/apply", {"files": [WEB], "adopt": "yes"}, 422, "adopt"),
    ("POST", "/v1/apply", {"files": [WEB], "force": True}, 422, "force"),
    ("POST", "/v1/plan", {"files": [WEB], "adopt": True}, 422, "adopt"),
    ("POST", "/v1/plan", {"files": [WEB], "kind": "node"}, 422, "kind"),
    ("POST", "/v1/check", {"files": [WEB], "kind": "group"}, 422, "kind"),
    ("POST", "/v1/delete", {"files": [WEB], "cascade": 1}, 422, "cascade"),
    ("POST", "/v1/workloads/web/scale", {"count": -1}, 422, "count"),
    ("POST", "/v1/workloads/web/scale", {"count": "5"}, 422, "count"),
    ("POST", "/v1/workloads/web/scale", {"count": 1.5}, 422, "count"),
    ("POST", "/v1/workloads/web/scale", {"count": True}, 422, "count"),
    ("POST", "/v1/workloads/web/scale", {"count": 10**30}, 422, "count"),
    ("POST", "/v1/workloads/web/scale", b'{"count": NaN}', 422, "NaN is not a number that JSON has"),
    ("POST", "/v1/workloads/web/scale", b'{"count": 1, "count": 2}', 422, "written twice"),
    ("POST", "/v1/workloads/web/scale", b'{"count": ' + b"9" * 5000 + b"}", 422, "too many digits"),
    ("POST", "/v1/workloads/web/scale", b"[" * 100_000, 422, "nested too deeply"),
    ("POST", "/v1/workloads/web/scale", b'{"\\ud800": 1}', 422, "surrogate"),
    ("POST", "/v1/apply", b'{"files": [' + b"{}," * 20_000 + b"{}]}", 422, "at most 10000 objects"),
    ("POST", "/v1/apply", b"{" + b",".join(b'"%d":0' % n for n in range(200)) + b"}", 422, "at most 100 fields"),
    ("POST", "/v1/apply", {"files": [{"name": "n", "text": ""}] * 1001}, 422, "files"),
    ("POST", "/v1/apply", {"files": [{"name": "n" * 5000, "text": ""}]}, 422, "files.0.name"),
    ("POST", "/v1/workloads/web/scale", {"count": 5, "why": "w" * 1001}, 422, "why"),
    ("POST", "/v1/workloads/web/retry?why=" + "w" * 1001, None, 422, "why"),
    ("POST", "/v1/workloads/web/rollback", {"to": 0}, 422, "to"),
    ("POST", "/v1/workloads/web/rollback", {"to": "3"}, 422, "to"),
    ("POST", "/v1/workloads/nobody/rollback", {}, 404, "no workload/nobody"),
    ("POST", "/v1/workloads/nobody/scale", {"count": 1}, 404, "no workload/nobody"),
    ("DELETE", "/v1/groups/workers?cascade=perhaps", None, 422, "cascade"),
    ("GET", "/v1/events?since=-1", None, 422, "since"),
    ("GET", "/v1/events?wait_s=1e9", None, 422, "wait_s"),
    ("GET", "/v1/events?wait_s=nan", None, 422, "wait_s"),
    ("POST", "/v1/images/other", None, 422, "which"),
    ("GET", "/v1/nothing", None, 404, "openapi.json"),
    ("GET", "/docs", None, 404, "openapi.json"),
    ("GET", "/v1/groups/", None, 404, "openapi.json"),
    ("DELETE", "/v1/workloads/", None, 404, "openapi.json"),
    ("DELETE", "/v1/workloads/?cascade=true", None, 404, "openapi.json"),
    ("POST", "/v1/workloads//retry", None, 404, "openapi.json"),
    ("POST", "/v1/apply/", {"files": []}, 404, "openapi.json"),
    ("GET", "/v1/clusters/", None, 404, "openapi.json"),
    ("GET", "/status/", None, 404, "openapi.json"),
    ("PUT", "/v1/apply", {"files": []}, 405, "method"),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for a whole table: nothing in it may change anything."""
    with running(FrontDouble([GROUP, WORKLOAD]), tmp_path_factory.mktemp("api") / "s") as server:
        yield server


@pytest.mark.parametrize(("method", "path", "body", "status", "words"), BAD_REQUESTS)
def test_a_bad_request_is_told_what_is_wrong(
    shared: Running, method: str, path: str, body: object, status: int, words: str
) -> None:
    answer = shared.request(method, path, body)
    assert answer[0] == status, answer
    assert words in answer[1]["error"]
    assert set(answer[1]) == {"error", "reason", "faults", "incident"}


def test_a_wrong_method_is_told_the_right_ones(shared: Running) -> None:
    for path, methods in [("/v1/workloads/web", "DELETE, GET"), ("/v1/apply", "POST"), ("/status", "GET")]:
        answer = shared.ask("PATCH", path)
        assert (answer.status, answer.headers["allow"]) == (405, methods)


def test_a_count_may_be_written_as_json_schema_allows(server: Running) -> None:
    assert server.request("POST", "/v1/workloads/web/scale", b'{"count": 7.0}')[0] == 200
    assert server.request("GET", "/v1/workloads/web")[1]["desired"] == 7


def test_a_body_up_to_four_mebibytes_is_taken_and_a_larger_one_refused(server: Running) -> None:
    filler = " " * (4 * 1024 * 1024 - 200)
    small = {"files": [{"name": "a", "text": '{"Name": "a", "Count": 1}' + filler}]}
    assert server.request("POST", "/v1/apply", small)[0] == 200
    large = {"files": [{"name": "b", "text": '{"Name": "b", "Count": 1}' + filler + " " * 400}]}
    status, body = server.request("POST", "/v1/apply", large)
    assert (status, body["reason"]) == (413, "TooLarge")
    assert "4 MiB" in body["error"]
    assert server.request("GET", "/v1/workloads/b")[0] == 404


def test_the_openapi_document_names_every_route_and_every_field(server: Running) -> None:
    status, document = server.request("GET", "/v1/openapi.json")
    assert status == 200
    assert set(document["paths"]) == {
        "/v1/apply",
        "/v1/plan",
        "/v1/check",
        "/v1/delete",
        "/v1/status",
        "/v1/clusters",
        "/v1/events",
        "/v1/events/stream",
        "/v1/images/{which}",
        *(f"/v1/{kind}{rest}" for kind in ("groups", "workloads") for rest in KEY_PATHS),
        "/submit",
        "/status",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    schemas = document["components"]["schemas"]
    assert set(schemas["KeyView"]["required"]) == set(schemas["KeyView"]["properties"])
    assert {"observedGeneration", "observedAgeSeconds"} <= set(schemas["KeyView"]["properties"])
    identifiers = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(identifiers) == len(set(identifiers))


KEY_PATHS = (
    "",
    "/{name}",
    "/{name}/scale",
    "/{name}/free",
    "/{name}/retry",
    "/{name}/rollback",
    "/{name}/pause",
    "/{name}/resume",
    "/{name}/history",
    "/{name}/spec",
)
