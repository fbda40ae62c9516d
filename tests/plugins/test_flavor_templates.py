"""The variables of templates: each is documented, and what is documented is there."""

import re
from pathlib import Path
from random import Random

import pytest

from skep.model.errors import InvalidError
from skep.model.json import NULL, RawJson
from skep.model.machine import InstanceSpec
from skep.model.spec import Allocation
from skep.plugins.flavor_swarm import SwarmFlavor
from skep.plugins.flavor_swarm_host import HostCluster
from skep.plugins.flavor_templates import after, template_values
from skep.plugins.templates import METHODS
from tests.fakes.engine import FakeEngines
from tests.sim.loop import SimClock
from tests.sim.world import World

PAGE = (Path(__file__).parent.parent.parent / "docs" / "flavors.md").read_text()
PAGE = PAGE[PAGE.index("## Templates") : PAGE.index("## Attachments")]
COMMON, SWARM = PAGE.split("Those of flavor-swarm alone")
COMPAT = "SPEC INSTANCE_LOGICAL_ID ALLOCATIONS INDEX INFRAKIT_LABELS SWARM_MANAGER_ADDR SWARM_INITIALIZED"
"""infrakit-compat.md 4.1, with the two below."""


def documented(text: str) -> set[str]:
    """The names in the first column of its tables."""
    return set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE))


class Texts:
    """ports.Fetch over one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def text(self, url: str) -> str:
        return self._text


def test_the_variables_of_every_flavor_are_those_of_the_page() -> None:
    assert set(template_values(NULL, InstanceSpec(), Allocation(size=1))) == documented(COMMON)


async def test_the_variables_of_swarm_are_those_of_the_page_and_cover_infrakits() -> None:
    names = documented(COMMON) | documented(SWARM)
    assert names >= {*COMPAT.split(), "SWARM_JOIN_TOKENS", "SWARM_CLUSTER_ID"}
    assert await faults("".join(f"{{{{ {name} }}}}" for name in names)) == ""
    assert "'SWARM_NOPE' is undefined" in await faults("{{ SWARM_NOPE }}")


async def test_the_example_of_the_page_is_a_script() -> None:
    example = "\n".join(line[4:] for line in COMMON.splitlines() if line.startswith("    "))
    assert example.startswith("#!/bin/sh\nhostname ")
    assert await faults(example) == ""


@pytest.mark.parametrize(
    "template",
    [
        "{{ INSTANCE.Tags['infrakit.group']|quote }}",
        "{% for name, value in INSTANCE.Tags.items() %}{{ name ~ value }}{% endfor %}",
        "{{ INSTANCE.Properties.Box }} {{ INSTANCE.Properties.Deep.Down[0].There|upper }}",
        "{{ INSTANCE.Properties.Memory * 2 + 1 - 3 }} {{ INSTANCE.Properties.CPUs|int // 2 }}",
        "{% if INSTANCE.Properties.Gpu == 1 %}{{ INSTANCE.Properties.Labels|tojson }}{% endif %}",
    ],
)
async def test_tags_and_properties_of_a_machine_may_be_used_though_nobody_knows_them_yet(template: str) -> None:
    """A spec is validated before there is a machine."""
    assert await faults(template) == ""


async def test_a_mistake_beside_them_is_told() -> None:
    assert "'INSTANCES' is undefined" in await faults("{{ INSTANCE.Tags.tier }}{{ INSTANCES.Tags }}")


def test_the_methods_of_the_page_are_those_that_may_be_called() -> None:
    named = PAGE[PAGE.index("Of the methods") :].split("A template reads")[0]
    assert set(re.findall(r"`(\w+)`", named)) | {"lstrip", "rstrip", "splitlines"} == METHODS


async def faults(template: str) -> str:
    """What a manager group of that template is told."""
    world = World(SimClock(), Random(1))
    engines = FakeEngines(world)
    cluster = HostCluster(engines, ["sim://m"], world.kernel.clock)
    flavor = SwarmFlavor(cluster, engines, world.kernel.clock, fetch=Texts(template))
    properties = RawJson(b'{"Type": "manager", "InitScriptTemplateURL": "http://x"}')
    try:
        await flavor.validate(properties, Allocation(logical_ids=("10.0.0.1",)))
    except InvalidError as error:
        return str(error)
    return ""


def test_what_is_not_given_is_empty_and_not_none() -> None:
    """`None` in a script would be a word like any other."""
    values = template_values(NULL, InstanceSpec(), Allocation(size=1))
    assert (values["SPEC"], values["INSTANCE_LOGICAL_ID"]) == ({}, "")
    assert values["INDEX"] == {"Group": "", "Sequence": 0}
    assert after("", "b") == "b"
    assert after("a", "b") == "a\nb"
