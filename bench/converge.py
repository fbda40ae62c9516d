"""From submit to running of a workload of 10 and of 30 containers, against `docker service create` on the same Swarm.

Run with `.venv/bin/python -m bench.converge [ROUNDS]`. The two alternate on the Swarm of examples/quickstart.yaml, of
which the workload is removed first. Exits 1 when a ratio of the medians is above 1.05.
"""

import json
import sys

from bench.lab import ROOT, Lab, Swarm, compare, lab, run, timed, until

ROUNDS = 7
RATIO_MAX = 1.05
COUNTS = (10, 30)
EXAMPLE = ROOT / "examples" / "quickstart.yaml"
NAME = "bench"


def with_skep(lab: Lab, swarm: Swarm, count: int) -> None:
    """Apply a workload, and look at the Swarm until all of it runs."""
    spec = json.dumps({"Name": NAME, "Image": lab.web_image, "Count": count})
    lab.skep("apply", "-f", "-", text=spec)
    until(lambda: swarm.running(NAME) == count, f"{count} containers by skep")


def by_hand(lab: Lab, swarm: Swarm, count: int) -> None:
    """The docker command of the same meaning, which asks a registry for the digest as skep does, and the same look."""
    arguments = ["--detach", "--name", NAME, "--replicas", str(count), lab.web_image]
    run("docker", "-H", f"unix://{swarm.manager}", "service", "create", *arguments)
    until(lambda: swarm.running(NAME) == count, f"{count} containers by hand")


def measure(lab: Lab, swarm: Swarm, count: int, rounds: int) -> bool:
    """Alternate the two, each from an empty Swarm; whether skep is within its limit."""
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(timed(lambda: with_skep(lab, swarm, count)))
        lab.skep("workload", "rm", NAME, "--wait")
        until(lambda: not swarm.left(NAME), "the workload is gone")
        theirs.append(timed(lambda: by_hand(lab, swarm, count)))
        run("docker", "-H", f"unix://{swarm.manager}", "service", "rm", NAME)
        until(lambda: not swarm.left(NAME), "the service is gone")
        print(f"{count}, round {number + 1}: skep {ours[-1]:.2f} s, by hand {theirs[-1]:.2f} s", flush=True)
    return compare(f"converge {count}", ours, theirs, RATIO_MAX)


def main() -> int:
    """Measure both sizes and say whether they hold."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with lab() as place:
        place.skep("apply", "-f", EXAMPLE, "--wait")
        place.skep("workload", "rm", "web", "--wait")
        swarm = place.until_manager()
        until(lambda: not swarm.left("web"), "the example's workload is gone")
        held = [measure(place, swarm, count, rounds) for count in COUNTS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
