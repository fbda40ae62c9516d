"""Flavor vanilla does what InfraKit's does (infrakit-compat.md 4.2), and says what is wrong."""

import pytest

from skep.model.errors import InvalidError, NotFoundError
from skep.model.json import RawJson
from skep.model.machine import Attachment, InstanceDescription, InstanceSpec
from skep.model.spec import Allocation
from skep.model.state import Health
from skep.plugins.flavor_vanilla import VanillaFlavor
from skep.plugins.registry import PluginRegistry

FLAVOR = VanillaFlavor()


async def prepared(properties: bytes, spec: InstanceSpec) -> InstanceSpec:
    return await FLAVOR.prepare(RawJson(properties), spec, Allocation(size=1))


async def test_init_lines_come_after_those_that_are_there_without_shebang_or_last_line_break() -> None:
    spec = await prepared(b'{"Init": ["two", "three"]}', InstanceSpec(init="one"))
    assert spec.init == "one\ntwo\nthree"
    assert (await prepared(b'{"Init": ["two"]}', InstanceSpec())).init == "two"
    assert (await prepared(b"null", InstanceSpec(init="one"))).init == "one"


async def test_tags_are_merged_and_the_flavor_wins() -> None:
    spec = await prepared(b'{"Tags": {"tier": "web", "a": "new"}}', InstanceSpec(tags={"a": "old", "b": "kept"}))
    assert spec.tags == {"a": "new", "b": "kept", "tier": "web"}


async def test_attachments_go_to_their_member_and_those_of_the_star_to_every_one() -> None:
    properties = b'{"Attachments": {"*": [{"ID": "nfs", "Type": "share"}], "one": [{"ID": "d1", "Type": "ebs"}]}}'
    spec = await prepared(properties, InstanceSpec(logical_id="one"))
    assert spec.attachments == (Attachment("nfs", "share"), Attachment("d1", "ebs"))
    assert (await prepared(properties, InstanceSpec(logical_id="two"))).attachments == (Attachment("nfs", "share"),)


async def test_all_faults_come_at_once() -> None:
    properties = b"""{"Attachments": {"one": [{"ID": "d", "Type": ""}, {"ID": "d", "Type": "ebs"}], "two": []}}"""
    with pytest.raises(InvalidError) as caught:
        await FLAVOR.validate(RawJson(properties), Allocation(logical_ids=("one",)))
    assert [str(fault) for fault in caught.value.faults] == [
        "Attachments.one[0].Type: must not be empty",
        "Attachments.two: LogicalID two used for an attachment but is not in group LogicalIDs",
        "Attachments: Attachment d specified more than once",
    ]


@pytest.mark.parametrize(
    "properties", [b'{"Init": "one line"}', b'{"Init": [1]}', b'{"Tags": {"a": 1}}', b'{"Inti": []}']
)
async def test_wrong_types_and_unknown_fields_are_refused(properties: bytes) -> None:
    with pytest.raises(InvalidError):
        await FLAVOR.validate(RawJson(properties), Allocation(size=1))


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        (b'{"Init": "one line"}', "json: cannot unmarshal string into Go struct field Spec.Init of type []string"),
        (b'{"Init": [1]}', "json: cannot unmarshal number into Go struct field Spec.Init of type string"),
        (
            b'{"init": null, "Tags": {"a": 1}}',
            "json: cannot unmarshal number into Go struct field Spec.Tags of type string",
        ),
        (b'"x"', "json: cannot unmarshal string into Go value of type struct"),
        (
            b'{"Attachments": {"two": [{"ID": "d", "Type": "ebs"}]}}',
            "LogicalID two used for an attachment but is not in group LogicalIDs",
        ),
    ],
)
async def test_over_the_wire_faults_have_infrakits_words(properties: bytes, text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        await VanillaFlavor(lenient=True).validate(RawJson(properties), Allocation(size=1))
    assert str(caught.value) == text


class Texts:
    """ports.Fetch over a few texts."""

    def __init__(self, **texts: str) -> None:
        self._texts = texts

    async def text(self, url: str) -> str:
        name = url.rpartition("/")[2]
        if name not in self._texts:
            raise NotFoundError(f"could not fetch {url}")
        return self._texts[name]


TEMPLATED = VanillaFlavor(
    Texts(
        good="#!/bin/sh\nhostname {{ INSTANCE_LOGICAL_ID }}\n"
        "echo {{ INDEX.Sequence }} of {{ ALLOCATIONS.LogicalIDs|length }} "
        "in {{ INDEX.Group }} {{ SPEC.Tags.tier }} {{ INSTANCE.Tags['infrakit.group'] }}\n",
        bad="one\n{{ NOPE }}",
    )
)


async def test_a_template_makes_the_script() -> None:
    """infrakit-compat.md 4.2, master: InitScriptTemplateURL."""
    properties = RawJson(b'{"InitScriptTemplateURL": "http://x/good", "Tags": {"tier": "web"}}')
    spec = InstanceSpec(init="echo first", tags={"infrakit.group": "g"}, logical_id="two")
    prepared = await TEMPLATED.prepare(properties, spec, Allocation(logical_ids=("one", "two")))
    assert prepared.init == "echo first\n#!/bin/sh\nhostname two\necho 1 of 2 in g web g\n"
    bare = await TEMPLATED.prepare(properties, InstanceSpec(tags={"infrakit.group": "g"}), Allocation(size=1))
    assert bare.init == "#!/bin/sh\nhostname \necho 0 of 0 in g web g\n"


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        (b'{"InitScriptTemplateURL": "http://x/bad"}', "InitScriptTemplateURL: http://x/bad:2: 'NOPE' is undefined"),
        (b'{"InitScriptTemplateURL": "http://x/none"}', "InitScriptTemplateURL: could not fetch http://x/none"),
        (
            b'{"Init": ["a"], "InitScriptTemplateURL": "http://x/good"}',
            "InitScriptTemplateURL: takes the place of Init: give one of them",
        ),
    ],
)
async def test_a_template_is_tried_before_anything_is_made(properties: bytes, says: str) -> None:
    with pytest.raises(InvalidError) as caught:
        await TEMPLATED.validate(RawJson(properties), Allocation(size=1))
    assert str(caught.value) == says


async def test_read_leniently_unknown_fields_are_ignored_and_names_may_have_any_case() -> None:
    """infrakit-compat.md 1.3."""
    properties = RawJson(b'{"init": ["a"], "TAGS": {"a": "b"}, "Docker": {"x": 1}}')
    flavor = VanillaFlavor(lenient=True)
    await flavor.validate(properties, Allocation(size=1))
    prepared = await flavor.prepare(properties, InstanceSpec(), Allocation(size=1))
    assert (prepared.init, prepared.tags) == ("a", {"a": "b"})
    with pytest.raises(InvalidError):
        await FLAVOR.validate(properties, Allocation(size=1))


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (b'{"Init": ["a", null, "b"]}', InstanceSpec(init="a\n\nb")),
        (b'{"tags": {"a": null, "\\u0062<": "c"}}', InstanceSpec(tags={"a": "", "b<": "c"})),
        (b'{"Tags": {"a": "b"}, "TAGS": {"a": null}}', InstanceSpec(tags={"a": ""})),
        (b'{"Attachments": {"*": null}, "Init": null, "Tags": null} ', InstanceSpec()),
    ],
)
async def test_over_the_wire_null_is_nothing_wherever_it_is(properties: bytes, expected: InstanceSpec) -> None:
    """infrakit-compat.md 1.3: the zero value."""
    flavor = VanillaFlavor(lenient=True)
    await flavor.validate(RawJson(properties), Allocation(size=1))
    assert await flavor.prepare(RawJson(properties), InstanceSpec(), Allocation(size=1)) == expected


@pytest.mark.parametrize("properties", [b'{"Init": [null]}', b'{"Tags": {"a": null}}', b'{"Attachments": {"*": null}}'])
async def test_in_a_file_of_skep_null_is_no_text(properties: bytes) -> None:
    with pytest.raises(InvalidError, match="not null"):
        await FLAVOR.validate(RawJson(properties), Allocation(size=1))


async def test_every_machine_is_healthy() -> None:
    instances = [InstanceDescription("a"), InstanceDescription("b")]
    assert [health.health for health in await FLAVOR.healthy(RawJson(b"{}"), instances)] == [Health.HEALTHY] * 2


def test_plugins_are_found_with_and_without_their_prefix_and_missing_ones_name_those_that_there_are() -> None:
    registry = PluginRegistry({}, {"vanilla": FLAVOR, "flavor-other": FLAVOR})
    assert registry.flavor("flavor-vanilla") is registry.flavor("vanilla") is registry.flavor("other") is FLAVOR
    with pytest.raises(
        NotFoundError, match="no flavor plugin 'flavor-zookeeper'; there are: flavor-other, flavor-vanilla"
    ):
        registry.flavor("flavor-zookeeper")
    with pytest.raises(NotFoundError, match="no instance plugin 'docker'; there are: none"):
        registry.instance("docker")
