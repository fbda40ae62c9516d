"""The OpenAPI document is true: requests made from it, good and bad, get the answers that it tells of."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks

from skep.server.api import WAIT_S_MAX, create_api
from skep.specs.workload import WorkloadDocument
from tests.server.front_double import FrontDouble
from tests.server.running import Running, running
from tests.server.tls_certificates import Subject
from tests.server.tls_running import TlsRunning, tls_running
from tests.server.unix_adapter import UnixAdapter
from tests.server.whole import LateFront, WholeFront

schema = schemathesis.openapi.from_dict(create_api(FrontDouble()).openapi())
# A stream never ends; test_stream.py reads it.
finite = schema.exclude(operation_id="stream_events")


# Whether a text is a spec can't be told by a schema.
OPAQUE = {"/v1/apply", "/v1/plan", "/v1/check", "/v1/delete", "/submit"}
load_all_checks()
(OPAQUE_CHECK,) = CHECKS.get_by_names(["positive_data_acceptance"])
ANSWER_CHECKS = CHECKS.get_by_names(
    ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    front = WholeFront()
    with running(front, tmp_path_factory.mktemp("api") / "s") as server:
        server.run(front.start())
        yield server
        server.run(front.stop())


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRunning]:
    with tls_running(LateFront(), tmp_path_factory.mktemp("tls"), look_every_s=60.0) as server:
        yield server


@finite.parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_as_the_document_tells(case: schemathesis.Case, whole: Running) -> None:
    _call(case, f"http://127.0.0.1:{whole.port}")


@finite.parametrize()
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_they_are_on_the_unix_socket_too(case: schemathesis.Case, whole: Running) -> None:
    with requests.Session() as session:
        session.mount("http://skep", UnixAdapter(whole.path))
        _call(case, "http://skep", session=session)


@finite.parametrize()
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_and_over_tls_for_whoever_shows_a_certificate(case: schemathesis.Case, over_tls: TlsRunning) -> None:
    authority = over_tls.authority
    ann = authority.issue(Subject("ann"))
    with requests.Session() as session:
        session.trust_env = False
        shown = {"cert": (ann.cert, ann.key), "verify": str(authority.ca)}
        _call(case, f"https://127.0.0.1:{over_tls.port}", session=session, **shown)


def _call(case: schemathesis.Case, url: str, **how: Any) -> None:
    """Ask for it, and hold the answer against the document."""
    if "wait_s" in case.query:
        case.query["wait_s"] = _shortened(case.query["wait_s"])
    # Nor can a schema tell that two parameters exclude each other.
    is_opaque = case.operation.path in OPAQUE or {"cascade", "orphan"} <= set(case.query)
    excluded = [OPAQUE_CHECK] if is_opaque else []
    case.call_and_validate(base_url=url, excluded_checks=excluded, **how)


def test_every_route_is_in_the_document() -> None:
    """So that none is left out of the fuzzing: the document is made of the routes, and this is who made them."""
    paths = {operation.ok().path for operation in schema.get_all_operations()}
    of_one = {"", "/spec", "/history", "/scale", "/rollback", "/pause", "/resume", "/free", "/retry"}
    assert paths >= {f"/v1/{kind}s/{{name}}{what}" for kind in ("group", "workload") for what in of_one}
    assert paths >= OPAQUE | {"/status", "/v1/status", "/v1/clusters", "/v1/events", "/healthz", "/readyz", "/metrics"}


def _shortened(wait_s: object) -> object:
    """Nobody has a minute to wait for events that may not come."""
    try:
        return min(float(str(wait_s)), 0.01) if 0 < float(str(wait_s)) <= WAIT_S_MAX else wait_s
    except ValueError:
        return wait_s


NAMES = st.sampled_from(["web", "managers", "", ".", "a/b", "a" * 64, "ünï", "../x", "web\n", "%2e", "-"]) | st.text(
    max_size=5
)
NUMBERS = st.sampled_from([0, 1, 2, -1, 10_000, 10_001, 2**31, 2**63, 10**300, 1.5, 1e308]) | st.integers()
SCALARS = st.none() | st.booleans() | NUMBERS | NAMES | st.sampled_from(["10s", "1g", "80:80", "A=b", "node.id==x"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=5
)
FIELDS = [str(field.alias) for field in WorkloadDocument.model_fields.values()]
USUAL = st.fixed_dictionaries(
    {},
    optional={
        "Cluster": st.sampled_from(["farm", "managers", "nowhere"]),
        "Env": st.just(["A=b"]),
        "Ports": st.just(["8080:80"]),
        "Mode": st.just("global"),
        "Constraints": st.just(["node.role==worker"]),
    },
)
WORKLOADS = st.builds(
    lambda spec, usual, others: spec | usual | others,
    st.fixed_dictionaries(
        {
            "Name": st.sampled_from(["web", "db"]) | NAMES,
            "Image": st.sampled_from(["web:1", "web@sha256:" + "0" * 64]),
            "Count": st.integers(0, 3) | NUMBERS,
        }
    ),
    USUAL,
    st.just({}) | st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=2),
)
PLUGINS = st.fixed_dictionaries(
    {"Plugin": st.sampled_from(["instance-sim", "flavor-swarm", "flavor-vanilla", "nothing"])},
    optional={"Properties": VALUES | st.just({"Type": "worker"})},
)
GROUPS = st.fixed_dictionaries(
    {
        "ID": NAMES,
        "Properties": st.fixed_dictionaries(
            {"Allocation": st.fixed_dictionaries({}, optional={"Size": NUMBERS, "LogicalIDs": VALUES})},
            optional={"Instance": PLUGINS, "Flavor": PLUGINS, "Images": VALUES, "Updating": VALUES},
        ),
    }
)
TEXTS = (WORKLOADS | GROUPS | VALUES).map(json.dumps) | st.text("{}[]\"'&*!|>-:,#\n a0", max_size=30)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TEXTS, path=st.sampled_from(["/v1/apply", "/v1/plan", "/v1/check", "/v1/delete", "/submit"]))
def test_whatever_a_file_holds_the_answer_is_as_documented(whole: Running, text: str, path: str) -> None:
    """Real parsers, a real core: what they refuse they refuse in words."""
    body = text.encode() if path == "/submit" else {"files": [{"name": "fuzz", "text": text}]}
    case = schema[path]["POST"].Case(body=body, media_type="application/json")
    case.call_and_validate(base_url=f"http://127.0.0.1:{whole.port}", checks=ANSWER_CHECKS)
