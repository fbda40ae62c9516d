"""Every answer in JSON ends its line, so that a prompt does not stand behind it."""

import json

import pytest

from tests.server.running import Running, UnixConnection

FILES = json.dumps({"files": [{"name": "web.json", "text": '{"Name": "web", "Count": 3}'}]})


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/submit", '{"Name": "new", "Image": "web:1", "Count": 3}', 201),
        ("DELETE", "/v1/workloads/web", None, 200),
        ("POST", "/v1/apply", FILES, 200),
        ("GET", "/v1/workloads/web", None, 200),
        ("GET", "/v1/workloads/web/spec", None, 200),
        ("GET", "/v1/workloads", None, 200),
        ("GET", "/v1/status", None, 200),
        ("GET", "/status", None, 200),
        ("GET", "/v1/clusters", None, 200),
        ("GET", "/v1/workloads/nope", None, 404),
        ("GET", "/nope", None, 404),
        ("POST", "/v1/apply", "{", 422),
    ],
)
def test_an_answer_in_json_ends_its_line(
    server: Running, method: str, path: str, body: str | None, status: int
) -> None:
    connection = UnixConnection(server.path)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
    finally:
        connection.close()
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    assert told.endswith(b"\n")
    assert not told.endswith(b"\n\n")
    json.loads(told)
