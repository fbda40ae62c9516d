"""Shells complete commands, options and the names of what there is."""

import subprocess

import pytest

from skep.model.view import ClusterView
from tests.cli.shell import PROGRAM, Shell
from tests.server.front_double import FrontDouble

TRIES_MAX = 20


def _offered(shell: Shell, *words: str) -> list[str]:
    """What bash is offered for the last of these words."""
    environ = {
        "_SKEP_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("skep", *words)),
        "COMP_CWORD": str(len(words)),
    }
    run = subprocess.run(PROGRAM, env=shell.environ(environ), capture_output=True, check=True, text=True, timeout=30)
    assert run.stderr == ""
    return [line.split(",", 1)[1] for line in run.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("st",), ["status"]),
        (("group", "de"), ["describe", "destroy"]),
        (("workload", "describe", "w"), ["web"]),
        (("group", "scale", "w"), ["workers"]),
        (("wait", "w"), ["workload/web"]),
        (("logs", "g"), ["group/workers"]),
        (("cluster", "describe", ""), ["three"]),
        (("workload", "submit", "web", "--cluster", "t"), ["three"]),
        (("image", "n"), ["node"]),
        (("status", "--out"), ["--output"]),
        (("status", "-o", "w"), ["wide"]),
    ],
)
def test_words_are_completed(shell: Shell, front: FrontDouble, words: tuple[str, ...], wanted: list[str]) -> None:
    """A busy host may take longer than a shell waits for it."""
    front.known_clusters = (ClusterView("three", "engine", "settings"),)
    tries = (_offered(shell, *words) for _ in range(TRIES_MAX))
    assert next(filter(None, tries), []) == wanted


def test_without_a_server_no_name_is_offered_and_nothing_is_said(shell: Shell, front: FrontDouble) -> None:
    nowhere = Shell(shell.socket.with_name("no.sock"))
    assert _offered(nowhere, "workload", "describe", "w") == []
    front.error = ZeroDivisionError()
    assert _offered(shell, "workload", "describe", "w") == []


@pytest.mark.parametrize(
    ("name", "words"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --no-files")]
)
def test_the_script_of_a_shell_is_printed(shell: Shell, name: str, words: str) -> None:
    result = shell.process("completion", name)
    assert (result.code, result.err) == (0, "")
    assert words in result.out
    assert "_SKEP_COMPLETE" in result.out
