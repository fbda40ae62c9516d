"""`cluster`: what is shown of where workloads run."""

import json
from dataclasses import replace

import pytest

from skep.cli.clusters import state_of
from skep.model.view import ClusterView, EngineView
from tests.cli.shell import Shell, check_golden
from tests.server.bodies import as_json
from tests.server.front_double import FrontDouble

A = EngineView("a", "ssh://host-a", "engine", "answering", "host-a", "29.1.0", "1.52", "Debian GNU/Linux 12")
B = replace(A, name="b", endpoint="tcp://host-b:2376", hostname="host-b", version="28.0.4", api_version="1.48")
C = EngineView("c", "tcp://host-c:2376", "unknown", "lost", error="connection refused\x1b[31m for 2 minutes")
STATIC = ClusterView("three", "engine", "settings", (A, B, C))
SWARM = ClusterView("managers", "swarm", "group/managers", (replace(A, kind="swarm", endpoint="unix:///m/1/e.sock"),))
NEW = ClusterView("new", "unknown", "settings")


@pytest.fixture(autouse=True)
def _clusters(front: FrontDouble) -> None:
    front.known_clusters = (SWARM, NEW, STATIC)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cluster-ls", ("cluster", "ls")),
        ("cluster-describe", ("cluster", "describe", "three")),
        ("cluster-describe-new", ("cluster", "describe", "new")),
    ],
)
def test_clusters_are_shown_as_agreed(shell: Shell, name: str, arguments: tuple[str, ...]) -> None:
    result = shell.skep(*arguments)
    assert (result.code, result.err) == (0, "")
    check_golden(name, result.out)


def test_a_cluster_as_json_is_what_the_server_said(shell: Shell) -> None:
    assert json.loads(shell.skep("cluster", "describe", "three", "-o", "json").out) == as_json(STATIC)
    assert len(json.loads(shell.skep("cluster", "ls", "-o", "json").out)) == 3


def test_a_cluster_that_is_not_there_is_told_with_those_that_are(shell: Shell) -> None:
    result = shell.skep("cluster", "describe", "four")
    assert (result.code, result.err) == (1, "skep: there is no cluster four; known: managers, new, three\n")


def test_no_clusters_are_a_sentence_that_says_what_to_do(shell: Shell, front: FrontDouble) -> None:
    front.known_clusters = ()
    assert "--cluster NAME=URL" in shell.skep("cluster", "ls").out


@pytest.mark.parametrize(
    ("view", "wanted"),
    [
        (ClusterView("x", "engine", "settings", (A, B)), "answering"),
        (STATIC, "lost 1/3"),
        (ClusterView("x", "engine", "settings", (A, replace(B, state="silent"), C)), "lost 1/3"),
        (ClusterView("x", "engine", "settings", (A, replace(B, state="silent"))), "silent 1/2"),
        (ClusterView("x", "engine", "settings", (C,)), "lost"),
        (NEW, "unknown"),
        (replace(STATIC, partitioned=True), "partitioned"),
    ],
)
def test_the_state_of_a_cluster_is_the_worst_of_its_engines(view: ClusterView, wanted: str) -> None:
    assert state_of(as_json(view)) == wanted
