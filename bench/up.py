"""From `skep apply` to 3 nodes Ready and 5 containers running, against bench/up.sh, which does the same by hand.

Run with `.venv/bin/python -m bench.up [ROUNDS]`. The two alternate on one engine. Exits 1 when the ratio of the medians
is above 1.3.
"""

import sys

from bench.lab import ROOT, Lab, Swarm, compare, lab, privileged_works, run, timed, until

ROUNDS = 5
RATIO_MAX = 1.3
EXAMPLE = ROOT / "examples" / "quickstart.yaml"
SCRIPT = ROOT / "bench" / "up.sh"
PREFIX = "by-hand"


def converged(swarm: Swarm) -> bool:
    """What both have to reach."""
    return swarm.running("web") == 5 and swarm.nodes_ready() == 3


def with_skep(lab: Lab) -> None:
    """Apply, and look at the Swarm until it is as wanted."""
    lab.skep("apply", "-f", EXAMPLE)
    swarm = lab.until_manager()
    until(lambda: converged(swarm), "3 nodes and 5 containers by skep")


def by_hand(lab: Lab, privileged: bool) -> None:
    """The script, to its end."""
    env = lab.env | {"PRIVILEGED": "yes" if privileged else "no", "SUBNET": "10.21.0.0/24"}
    run(SCRIPT, PREFIX, lab.engine.folder / "h", lab.node_image, lab.web_image, env=env)


def measure(lab: Lab, rounds: int) -> bool:
    """Alternate the two, each from nothing; whether skep is within its limit."""
    privileged = privileged_works(lab)
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(timed(lambda: with_skep(lab)))
        lab.skep("delete", "-f", EXAMPLE, "--wait")
        until(lab.is_empty, "the machines are gone")
        theirs.append(timed(lambda: by_hand(lab, privileged)))
        assert_same(lab)
        run(SCRIPT, "--remove", PREFIX, lab.engine.folder / "h", env=lab.env)
        until(lab.is_empty, "the machines made by hand are gone")
        print(f"round {number + 1}: skep {ours[-1]:.2f} s, by hand {theirs[-1]:.2f} s", flush=True)
    return compare("up", ours, theirs, RATIO_MAX)


def assert_same(lab: Lab) -> None:
    """The script too has to end with what is claimed."""
    swarm = Swarm(lab.engine.folder / "h" / "manager" / "e.sock")
    until(lambda: converged(swarm), "3 nodes and 5 containers by hand", timeout_s=1)


def main() -> int:
    """Measure and say whether it holds."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with lab() as place:
        return 0 if measure(place, rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
