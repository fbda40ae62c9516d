"""From submit to running of a workload of 10 and of 30 containers, against `docker service create` on the same Swarm.

Run with `.venv/bin/python -m bench.converge [ROUNDS]`. All alternate on the Swarm of examples/quickstart.yaml, of which
the workload is removed first. Submitting is one request to skep's API; what `skep apply` takes from the start of its
process is told beside it. Exits 1 when a ratio of the medians of submitting is above 1.05.
"""

import json
import sys

from bench.lab import ROOT, Lab, Swarm, compare, lab, run, timed, until
from skep.cli.client import Client

ROUNDS = 7
RATIO_MAX = 1.05
COUNTS = (10, 30)
EXAMPLE = ROOT / "examples" / "quickstart.yaml"
NAME = "bench"


def submitted(lab: Lab, swarm: Swarm, count: int) -> None:
    """Send a workload to the API, and look at the Swarm until all of it runs."""
    file = {"name": "bench", "text": spec(lab, count)}
    Client(lab.state / "skep.sock").post("/v1/apply", {"files": [file]})
    until(lambda: swarm.running(NAME) == count, f"{count} containers submitted to skep")


def applied(lab: Lab, swarm: Swarm, count: int) -> None:
    """The same with the command line."""
    lab.skep("apply", "-f", "-", text=spec(lab, count))
    until(lambda: swarm.running(NAME) == count, f"{count} containers applied with skep")


def spec(lab: Lab, count: int) -> str:
    """The workload as people write it."""
    return json.dumps({"Name": NAME, "Image": lab.web_image, "Count": count})


def by_hand(lab: Lab, swarm: Swarm, count: int) -> None:
    """The docker command of the same meaning, which asks a registry for the digest as skep does, and the same look."""
    arguments = ["--detach", "--name", NAME, "--replicas", str(count), lab.web_image]
    run("docker", "-H", f"unix://{swarm.manager}", "service", "create", *arguments)
    until(lambda: swarm.running(NAME) == count, f"{count} containers by hand")


def measure(lab: Lab, swarm: Swarm, count: int, rounds: int) -> bool:
    """Alternate them, each from an empty Swarm; whether submitting to skep is within its limit."""
    by_api, by_command, theirs = [], [], []
    for number in range(rounds):
        for times, act in ((by_api, submitted), (by_command, applied), (theirs, by_hand)):
            times.append(timed(lambda act=act: act(lab, swarm, count)))  # type: ignore[misc]
            clear(lab, swarm, ours=act is not by_hand)
        last = f"submitted {by_api[-1]:.2f} s, applied {by_command[-1]:.2f} s, by hand {theirs[-1]:.2f} s"
        print(f"{count}, round {number + 1}: {last}", flush=True)
    compare(f"converge {count} with skep apply, for comparison", by_command, theirs, RATIO_MAX)
    return compare(f"converge {count}", by_api, theirs, RATIO_MAX)


def clear(lab: Lab, swarm: Swarm, *, ours: bool) -> None:
    """Remove the workload and wait until nothing of it is left."""
    if ours:
        lab.skep("workload", "rm", NAME, "--wait")
    else:
        run("docker", "-H", f"unix://{swarm.manager}", "service", "rm", NAME)
    until(lambda: not swarm.left(NAME), "the workload is gone")


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
