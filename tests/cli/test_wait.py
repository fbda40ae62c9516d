"""--wait: when it ends, with what, and what it shows meanwhile."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skep.cli.client import Client
from skep.cli.failures import NoServer
from skep.cli.wait import Goal, judge
from skep.cli.waiting import wait
from skep.model.spec import Key
from skep.model.state import Condition, ConditionType
from skep.model.view import KeyView
from tests.cli.shell import Shell
from tests.server.bodies import as_json
from tests.server.front_double import GROUP, PAUSED, WORKLOAD, FrontDouble
from tests.server.running import Running, running

DONE = replace(WORKLOAD, ready=3, desired=3, current=3, generation=4, observed_generation=4, converged=True)
BUSY = replace(DONE, ready=1, converged=False)
STALE = replace(DONE, observed_generation=3)
FAILING = replace(
    BUSY, conditions=(Condition(ConditionType.REPLICA_FAILURE, True, "FailedCreate", "no such image: web:9"),)
)
REFUSED = replace(
    BUSY, conditions=(Condition(ConditionType.ROLL_REFUSED, True, "RollRefused", "surge with LogicalIDs"),)
)
TAKEN = replace(
    BUSY, conditions=(Condition(ConditionType.NAME_CONFLICT, True, "FailedCreate", "NameConflict: a service web"),)
)
LOOPING = replace(
    BUSY, conditions=(Condition(ConditionType.CRASH_LOOPING, True, "CrashLooping", "2: it ends again and again"),)
)
NOWHERE = replace(
    BUSY, conditions=(Condition(ConditionType.UNPLACEABLE, True, "Unplaceable", "there is nowhere to make it"),)
)
ROLLED_BACK = replace(BUSY, conditions=(PAUSED,))
STANDING = replace(
    BUSY,
    paused="by ann",
    conditions=(Condition(ConditionType.PROGRESSING, False, "Paused", "the roll-out is paused: by ann"),),
)


@pytest.fixture
def web(tmp_path: Path) -> str:
    file = tmp_path / "web.json"
    file.write_text('{"Name": "web", "Count": 3}')
    return str(file)


UNDONE = replace(
    DONE,
    generation=5,
    observed_generation=5,
    conditions=(Condition(ConditionType.ROLLED_BACK, True, "RollFailed", "generation 4 failed: 1 of 3 failed"),),
)
"""Skep went back: what was there before generation 4 is there again."""

JUDGED: list[tuple[str, KeyView | None, bool, str, bool, bool]] = [
    ("converged", DONE, False, "Ready", True, False),
    ("not converged yet", BUSY, False, "Progressing", False, False),
    ("converged a moment ago (W54)", replace(DONE, unproven_s=1.5), False, "Ready", False, False),
    ("converged for an older generation", STALE, False, "Pending", False, False),
    ("an older spec still shown", replace(DONE, generation=3, observed_generation=3), False, "Ready", False, False),
    (
        "a newer spec, applied meanwhile",
        replace(DONE, generation=9, observed_generation=9),
        False,
        "Ready",
        True,
        False,
    ),
    ("a failure that may heal", FAILING, False, "Failing", False, False),
    ("a name that others may give back (W54)", TAKEN, False, "Conflict", False, False),
    ("ends again and again", LOOPING, False, "CrashLooping", False, False),
    ("has no place", NOWHERE, False, "Waiting", False, False),
    ("rolled back", ROLLED_BACK, False, "Failed", False, True),
    ("rolled back, with a newer spec", replace(ROLLED_BACK, generation=5), False, "Pending", False, False),
    ("undone by skep, and all is well again (W54)", UNDONE, False, "RolledBack", False, True),
    ("undone, and asked for nevertheless", replace(UNDONE, generation=6), False, "Pending", False, False),
    (
        "what an older one was undone by",
        replace(UNDONE, generation=4, observed_generation=4),
        False,
        "Ready",
        True,
        False,
    ),
    ("paused (W54)", STANDING, False, "Paused", False, True),
    ("paused, and nothing waits for the end of it", replace(DONE, paused="by ann"), False, "Ready", True, False),
    ("resumed, and not looked at since", replace(STANDING, paused=""), False, "Progressing", False, False),
    ("refused", REFUSED, False, "Refused", False, True),
    ("removed by somebody else", None, False, "Removed", False, True),
    ("gone as wanted", None, True, "Gone", True, False),
    ("still being removed", replace(BUSY, removed=True), True, "Removing", False, False),
    ("converged and shall go", replace(DONE, removed=True), True, "Removing", False, False),
    (
        "a refusal of the old spec keeps nobody from going",
        replace(REFUSED, removed=True),
        True,
        "Refused",
        False,
        False,
    ),
]


@pytest.mark.parametrize(
    ("view", "gone", "word", "done", "failed"), [row[1:] for row in JUDGED], ids=[row[0] for row in JUDGED]
)
def test_a_goal_is_judged(view: KeyView | None, gone: bool, word: str, done: bool, failed: bool) -> None:
    line = judge(Goal("workload/web", 4, gone), None if view is None else as_json(view))
    assert (line.word, line.done, line.failed) == (word, done, failed)


WAITING = Condition(ConditionType.PROGRESSING, False, "Paused", "the roll-out is paused: by ann")
COUNTED = replace(DONE, converged=False, paused="by ann", outdated=3, doing=(), conditions=(WAITING,))


@pytest.mark.parametrize(
    ("view", "done"),
    [
        (COUNTED, True),
        (replace(COUNTED, ready=2), False),
        (replace(COUNTED, current=4), False),
        (replace(COUNTED, doing=("remove container 4",)), False),
        (replace(COUNTED, unproven_s=1.0), False),
        (replace(COUNTED, generation=3, observed_generation=3), False),
    ],
)
def test_a_count_is_reached_also_while_a_roll_waits(view: KeyView, done: bool) -> None:
    """W49, W54: scaling goes on, so that the pause is in the way of nothing that was asked for; who asked for all of a
    spec is told at once."""
    line = judge(Goal("workload/web", 4, count=True), as_json(view))
    assert (line.done, line.failed) == (done, False)
    assert judge(Goal("workload/web", 3), as_json(view)).failed


def test_a_scale_that_waits_ends_with_the_count_and_says_what_is_paused(shell: Shell, front: FrontDouble) -> None:
    front.shown = {Key.parse(COUNTED.key): replace(COUNTED, generation=3)}
    front.script.extend([(replace(COUNTED, ready=1),), (COUNTED,)])
    result = shell.skep("workload", "scale", "web", "3", "--wait")
    assert (result.code, "3/3 Paused: the roll-out is paused: by ann" in result.err) == (0, True)


def test_it_stays_until_all_was_as_wanted_for_long_enough_and_says_so(
    shell: Shell, front: FrontDouble, web: str
) -> None:
    """W54: what ends again and again is as wanted between two ends."""
    brief = replace(DONE, unproven_s=1.5)
    front.script.extend([(GROUP, brief), (GROUP, LOOPING), (GROUP, brief), (GROUP, DONE)])
    result = shell.skep("apply", "-f", web, "--wait")
    assert (result.code, result.err.count("Ready: for too short a time to be sure of it")) == (0, 2)
    front.script.extend([(GROUP, brief)])
    looped = shell.skep("wait", "web", "--timeout", "1s")
    assert (looped.code, "not done after 1s: 3/3 Ready: for too short a time" in looped.err) == (1, True)


def test_what_was_gone_back_to_is_as_wanted_and_says_what_was_not(shell: Shell, front: FrontDouble) -> None:
    """W50 of the generation of today, for whoever did not wait for the one before it (W54)."""
    line = judge(Goal("workload/web", 5), as_json(UNDONE))
    assert (line.word, line.done, line.detail) == ("Ready", True, "went back: generation 4 failed: 1 of 3 failed")
    front.shown = {Key.parse(UNDONE.key): UNDONE}
    assert "Ready  went back: generation 4 failed: 1 of 3 failed" in shell.skep("status").out
    assert shell.skep("wait", "web").code == 0


@pytest.mark.parametrize(
    ("view", "detail"), [(LOOPING, "2: it ends again and again"), (NOWHERE, "there is nowhere to make it")]
)
def test_a_state_is_not_followed_by_its_own_name(view: KeyView, detail: str) -> None:
    assert judge(Goal("workload/web", 4), as_json(view)).detail == detail


def test_it_ends_0_once_all_is_as_wanted_and_shows_each_change_once(shell: Shell, front: FrontDouble, web: str) -> None:
    front.script.extend([(GROUP, STALE), (GROUP, BUSY), (GROUP, BUSY), (GROUP, FAILING), (GROUP, DONE)])
    result = shell.skep("apply", "-f", web, "--wait")
    assert result.code == 0
    assert result.out.splitlines()[0].split() == ["KEY", "CHANGE", "GENERATION"]
    assert [line.split("s ", 1)[1] for line in result.err.splitlines()] == [
        "workload/web 3/3 Pending: generation 4 is not looked at yet",
        "workload/web 1/3 Progressing: update s1",
        "workload/web 1/3 Failing: FailedCreate: no such image: web:9",
        "workload/web 3/3 Ready",
    ]


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (REFUSED, "workload/web failed: 1/3 Refused: RollRefused: surge with LogicalIDs"),
        (STANDING, "workload/web failed: 1/3 Paused: the roll-out is paused: by ann"),
        (ROLLED_BACK, "workload/web failed: 1/3 Failed: RevisionFailed: the cluster rolled the update back"),
        (UNDONE, "workload/web failed: 3/3 RolledBack: generation 4 failed: 1 of 3 failed"),
    ],
)
def test_what_no_time_heals_ends_it_at_once_with_the_reason(
    shell: Shell, front: FrontDouble, web: str, view: KeyView, words: str
) -> None:
    front.script.extend([(GROUP, BUSY), (GROUP, view)])
    result = shell.skep("apply", "-f", web, "--wait", "--timeout", "1h")
    assert (result.code, result.err.splitlines()[-1]) == (1, f"skep: {words}")


def test_a_failure_that_persists_is_the_reason_at_the_timeout(shell: Shell, front: FrontDouble, web: str) -> None:
    front.script.append((GROUP, FAILING))
    result = shell.skep("apply", "-f", web, "--wait", "--timeout", "1s")
    assert result.code == 1
    assert result.err.splitlines()[-1] == (
        "skep: workload/web not done after 1s: 1/3 Failing: FailedCreate: no such image: web:9"
    )


def test_scaling_waits_too(shell: Shell, front: FrontDouble) -> None:
    front.script.extend([(GROUP, BUSY), (GROUP, replace(DONE, ready=7, desired=7))])
    assert shell.skep("workload", "scale", "web", "7", "--wait").code == 0


def test_removal_waits_until_the_key_is_gone(shell: Shell, front: FrontDouble, web: str) -> None:
    leaving = replace(BUSY, removed=True, doing=("stop web",))
    front.script.extend([(GROUP, leaving), (GROUP, leaving), (GROUP,)])
    result = shell.skep("delete", "-f", web, "--wait")
    assert result.code == 0
    assert [line.split("s ", 1)[1] for line in result.err.splitlines()] == [
        "workload/web 1/3 Removing: stop web",
        "workload/web - Gone",
    ]


def test_removal_that_is_stuck_says_why(shell: Shell, front: FrontDouble) -> None:
    front.script.append((GROUP, replace(FAILING, removed=True)))
    result = shell.skep("workload", "rm", "web", "--wait", "--timeout", "0.5")
    assert result.code == 1
    assert result.err.splitlines()[-1].endswith("Failing: FailedCreate: no such image: web:9")


def test_a_server_that_restarts_is_waited_for(front: FrontDouble, web: str, tmp_path: Path) -> None:
    socket, results = tmp_path / "s", []
    front.script.append((GROUP, BUSY))
    first = Running(front, socket)
    first.start()
    command = ("apply", "-f", web, "--wait", "--timeout", "20s")
    waiting = threading.Thread(target=lambda: results.append(Shell(socket).process(*command)))
    waiting.start()
    _wait_until_polled(first, front)
    first.stop()
    front.script[0] = (GROUP, DONE)
    with running(front, socket):
        waiting.join(20)
    (result,) = results
    assert (result.code, result.err.splitlines()[-1].split("s ", 1)[1]) == (0, "workload/web 3/3 Ready")


class _Starting(Client):
    """A client whose server does not listen yet when it is asked for the first two times."""

    absent = 2

    def get(self, path: str, timeout_s: float = 0.0) -> Any:
        if self.absent:
            self.absent -= 1
            raise NoServer("no server answers")
        return {"groups": [], "workloads": [as_json(DONE)]}


def test_a_server_that_starts_is_waited_for_from_the_first_on(capsys: pytest.CaptureFixture[str]) -> None:
    wait(_Starting("s.sock"), ("web",), gone=False, timeout_s=20.0)
    told = [line.strip().split("s ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert told == ["no server answers at s.sock: waiting for it", "workload/web 3/3 Ready"]


@contextmanager
def _answering(path: Path, *answers: bytes) -> Iterator[None]:
    """A server that gives each of its answers to one request, and hangs up; an empty one is that of a killed server."""

    def answer_all() -> None:
        for answer in answers:
            with listener.accept()[0] as connection:
                connection.recv(10_000)
                connection.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(20.0)
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=answer_all)
        thread.start()
        yield
        thread.join()


@pytest.mark.parametrize("size", [0, 30, -1])
def test_a_server_that_ends_while_it_answers_is_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    """In the first question as in all others, and wherever the answer ends."""
    body = json.dumps({"groups": [], "workloads": [as_json(DONE)]}).encode()
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    path = tmp_path / "s"
    with _answering(path, whole[:size], whole, whole[:size], whole):
        wait(Client(path), ("web",), gone=False, timeout_s=20.0)
    told = [line.strip().split("s ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert told == [f"no server answers at {path}: waiting for it", "workload/web 3/3 Ready"]


def test_without_time_a_server_that_is_away_is_not_waited_for() -> None:
    with pytest.raises(NoServer):
        wait(_Starting("s.sock"), ("web",), gone=False, timeout_s=0.0)


def _wait_until_polled(server: Running, front: FrontDouble) -> None:
    async def polled() -> bool:
        return bool(front.asked_by) and front.polls > 1

    deadline_s = time.monotonic() + 20
    while not server.run(polled()):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


# --- skep wait --------------------------------------------------------------------------------------------------


def test_waiting_ends_0_once_the_named_keys_are_as_wanted(shell: Shell, front: FrontDouble) -> None:
    front.script.extend([(GROUP, BUSY), (GROUP, BUSY), (GROUP, BUSY), (GROUP, DONE)])
    result = shell.skep("wait", "workload/web", "workers")
    assert (result.code, result.out) == (0, "")
    assert [line.split("s ", 1)[1] for line in result.err.splitlines()] == [
        "workload/web 1/3 Progressing: update s1",
        "group/workers 2/2 Ready",
        "workload/web 3/3 Ready",
    ]


def test_what_is_as_wanted_is_not_waited_for(shell: Shell, front: FrontDouble) -> None:
    front.script.append((GROUP, DONE))
    assert shell.skep("wait", "web", "--timeout", "1h").code == 0


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (REFUSED, "workload/web failed: 1/3 Refused: RollRefused: surge with LogicalIDs"),
        (FAILING, "workload/web not done after 0s: 1/3 Failing: FailedCreate: no such image: web:9"),
    ],
)
def test_waiting_ends_1_with_the_condition_in_the_way(
    shell: Shell, front: FrontDouble, view: KeyView, words: str
) -> None:
    front.script.append((GROUP, view))
    result = shell.skep("wait", "web", "--timeout", "0.2")
    assert (result.code, result.err.splitlines()[-1]) == (1, f"skep: {words}")


def test_a_key_that_is_being_removed_is_waited_for_until_it_is_gone(shell: Shell, front: FrontDouble) -> None:
    leaving = replace(BUSY, removed=True, doing=("stop web",))
    front.script.extend([(GROUP, leaving), (GROUP, leaving), (GROUP, leaving), (GROUP,)])
    result = shell.skep("wait", "workload/web")
    assert (result.code, result.err.splitlines()[-1].split("s ", 1)[1]) == (0, "workload/web - Gone")


def test_what_is_gone_already_is_gone_when_that_is_waited_for(shell: Shell, front: FrontDouble) -> None:
    front.script.append((GROUP,))
    assert shell.skep("wait", "workload/web", "web", "--gone").code == 0
    result = shell.skep("wait", "workload/web", "group/lost", "workers")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "skep: there is no workload/web, no group/lost; to wait until a removal is over, add --gone\n"
    )


def test_a_name_is_waited_for_until_its_key_is_gone(shell: Shell, front: FrontDouble) -> None:
    leaving = replace(BUSY, removed=True, doing=("stop web",))
    front.script.extend([(GROUP, leaving), (GROUP, leaving), (GROUP,)])
    result = shell.skep("wait", "web", "--gone")
    assert result.code == 0
    assert "workload/web 1/3 Removing: stop web" in result.err


def test_what_is_no_key_is_told(shell: Shell) -> None:
    for command in (("wait", "workloads/web", "--gone"), ("logs", "workloads/web")):
        result = shell.skep(*command)
        assert (result.code, result.err) == (1, "skep: workloads/web is no key: write group/ID or workload/NAME\n")


def test_a_name_that_may_mean_two_is_not_guessed(shell: Shell, front: FrontDouble) -> None:
    front.script.append((GROUP, replace(DONE, key="workload/workers", name="workers")))
    result = shell.skep("wait", "workers")
    assert (result.code, result.err) == (1, "skep: workers may be group/workers or workload/workers: write which\n")
