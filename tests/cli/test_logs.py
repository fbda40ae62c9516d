"""`logs`: skep's decisions about one key."""

import json

import pytest

from skep.model.state import Event
from tests.cli.shell import Shell, check_golden
from tests.server.front_double import FrontDouble

LOG = [
    Event(1, 1_795_329_000.0, "workload/web", "Missing", "create service web with 5 replicas"),
    Event(2, 1_795_329_060.0, "group/workers", "Dead", "start worker-1"),
    Event(3, 4e9, "workload/web", "Dead", "start\x1b[31m 3"),
]


@pytest.fixture(autouse=True)
def _log(front: FrontDouble) -> None:
    front.log = list(LOG)


def test_logs_are_a_line_for_each_decision(shell: Shell) -> None:
    result = shell.skep("logs")
    assert (result.code, result.err) == (0, "")
    check_golden("logs", result.out)


@pytest.mark.parametrize(
    ("key", "numbers"), [("workload/web", [1, 3]), ("web", [1, 3]), ("workers", [2]), ("group/x", [])]
)
def test_logs_of_one_key_by_its_key_or_its_name(shell: Shell, key: str, numbers: list[int]) -> None:
    result = shell.skep("logs", key, "-o", "json")
    assert [one["seq"] for one in json.loads(result.out)] == numbers


def test_logs_since(shell: Shell) -> None:
    assert [line.split()[2] for line in shell.skep("logs", "--since", "1").out.splitlines()] == [
        "group/workers",
        "workload/web",
    ]
    assert len(shell.skep("logs", "--since", "10m").out.splitlines()) == 1


def test_a_name_that_nothing_has_is_told(shell: Shell) -> None:
    result = shell.skep("logs", "nobody")
    assert (result.code, result.out) == (1, "")
    assert result.err == "skep: nothing is named nobody; `skep status` lists all that there is\n"
