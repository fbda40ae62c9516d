"""Which tests share a worker: those that share what takes long to make."""

from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).parent

ONE_WORLD = frozenset(
    f"tests/e2e/test_{name}.py"
    for name in ("crash", "drift", "front_door", "healing", "neighbours", "quickstart", "rollout")
)
"""They use the quickstart's cluster, which is made once."""

LONGEST_FIRST = (
    "one world",
    "tests/e2e/test_faults.py",
    "tests/contract/test_workload.py",
    "tests/e2e/test_state_manager_document.py",
    "tests/contract/test_instance_plugin.py",
    "tests/e2e/test_infrakit_document.py",
    "tests/plugins/test_instance_docker.py",
    "tests/programs/test_manager_swarm.py",
    "tests/adapters/test_docker_engine.py",
    "tests/e2e/test_image.py",
)
"""A long group that is begun when the other workers have ended is waited for."""

IN_PARTS = frozenset(("tests/contract/test_workload.py", "tests/e2e/test_infrakit_document.py"))
"""Long files whose functions share nothing but the engine."""


def group(test: str) -> str:
    """Of a test, by its ID: `path::function[parameters]`."""
    path, _, function = test.partition("::")
    if path in IN_PARTS:
        return f"{path}::{function.partition('[')[0]}"
    return "one world" if path in ONE_WORLD else path


def rank(test: str) -> int:
    """Where its group comes in the order of their beginnings."""
    name = group(test).partition("::")[0]
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


class Groups(LoadScopeScheduling):
    """Gives whole groups to workers, in the order that the tests have.

    xdist's own loadgroup does not group with pytest 9.2 (pytest-xdist#1386), and does not say so.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)
