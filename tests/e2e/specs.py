"""The specs that are applied, and what each makes."""

from pathlib import Path

from tests.e2e.skep import Skep
from tests.e2e.world import Census

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.yaml"

SMALL = """
ID: managers
Properties:
  Allocation: {LogicalIDs: ["SUBNET.10"]}
  Instance: {Plugin: instance-docker, Properties: {Network: {Name: NETWORK, Subnet: SUBNET.0/24}}}
  Flavor: {Plugin: flavor-swarm, Properties: {Type: manager}}
  Images: [skep/web:1]
---
ID: workers
Properties:
  Allocation: {Size: 1}
  Instance: {Plugin: instance-docker, Properties: {Network: {Name: NETWORK, Subnet: SUBNET.0/24}}}
  Flavor: {Plugin: flavor-swarm, Properties: {Type: worker}}
  Images: [skep/web:1]
---
Name: web
Image: skep/web:1
Count: 3
"""
"""One manager, one worker, three containers: all parts of the work, in the least time."""

SMALL_CENSUS = Census(machines=2, running=2, volumes=2, networks=1, folders=2, nodes=2, ready=2, containers={"web": 3})
QUICKSTART_CENSUS = Census(
    machines=3, running=3, volumes=3, networks=1, folders=3, nodes=3, ready=3, containers={"web": 5}
)
NOTHING = Census()


def small(skep: Skep) -> str:
    """SMALL on this skep's own network."""
    return SMALL.replace("SUBNET", skep.subnet).replace("NETWORK", skep.controller)


def quickstart(skep: Skep) -> str:
    """The example as people get it, on this skep's own network."""
    text = QUICKSTART.read_text()
    assert text.count("10.20.0.") == 3
    assert text.count("Name: skep,") == 2
    return text.replace("10.20.0.", f"{skep.subnet}.").replace("Name: skep,", f"Name: {skep.controller},")


def changed(text: str, before: str, after: str, times: int) -> str:
    """The specs with a part of them replaced; the part has to be there so often."""
    assert text.count(before) == times, f"{before!r} is there {text.count(before)} times"
    return text.replace(before, after)


def document(text: str, name: str) -> str:
    """The one document of the specs that begins with this line."""
    (found,) = [part for part in text.split("---\n") if f"\n{name}\n" in f"\n{part}"]
    return found
