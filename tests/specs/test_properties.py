"""What plugins are promised of `specs.properties`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import pytest
from pydantic import Field

from skep.model.errors import Fault, InvalidError
from skep.model.json import NULL, RawJson
from skep.specs.properties import ByteSize, Duration, Properties, RawProperties, Short, prefixed, read


class Net(Properties):
    name: Annotated[str, Field(min_length=1)]
    subnet: str = ""


class Nested(Properties):
    plugin: str
    properties: RawProperties = "null"


def _words(given: object) -> object:
    return tuple(given.split()) if isinstance(given, str) else given


class Machine(Properties):
    network: Net | None = None
    networks: tuple[Net, ...] = ()
    memory: ByteSize = 0
    boot_wait: Duration = 1.0
    cpus: Annotated[float, Field(gt=0)] = 1.0
    type: Literal["manager", "worker"] = "worker"
    ready: bool = True
    tags: dict[str, str] = Field(default_factory=dict)
    init: Annotated[tuple[str, ...], Short(_words)] = ()
    logical_ids: tuple[str, ...] = ()
    part: Nested | None = None

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        if given.get("Ready") is False and "Init" in given:
            yield Fault("needs Ready", "Init")


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidError) as caught:
        read(RawJson(text.encode()), Machine)
    return [str(fault) for fault in caught.value.faults]


def test_reads_fields_in_any_case_with_units_and_short_forms() -> None:
    text = b'{"NETWORK":{"name":"skep"},"memory":"1GiB","BootWait":"1m30s","cpus":2,"init":"a b","LogicalIDs":["x"]}'
    assert read(RawJson(text), Machine) == Machine(
        Network=Net(Name="skep"), Memory=2**30, BootWait=90.0, Cpus=2.0, Init=("a", "b"), LogicalIDs=("x",)
    )  # type: ignore[call-arg]


@pytest.mark.parametrize("text", [NULL, RawJson(b"{}"), RawJson(b'{"Network":null}')])
def test_null_is_absent(text: RawJson) -> None:
    assert read(text, Machine) == Machine()


def test_opaque_parts_keep_their_spelling() -> None:
    text = b'{"Part": {"Plugin": "x", "Properties": {"b": 1e6, "a": 12345678901234567890, "h": "\\u003c\xc3\xa9"}}}'
    part = read(RawJson(text), Machine).part
    assert part is not None
    assert part.properties == '{"b":1e6,"a":12345678901234567890,"h":"\\u003cé"}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"Memroy":1}', ["Memroy: is not a field here; did you mean Memory?"]),
        ('{"Network":{"Name":"a","x":1}}', ["Network.x: is not a field here; there are Name and Subnet"]),
        ('{"Network":{}}', ["Network.Name: is required"]),
        (
            '{"networks":[{"name":""},{"name":5}]}',
            [
                "Networks[0].Name: must not be empty",
                "Networks[1].Name: must be a string, not a number: put it in quotes",
            ],
        ),
        ('{"Memory":"1 potato"}', ["Memory: must be a number of bytes or a size such as 512MiB or 1g"]),
        ('{"Memory":-1}', ["Memory: must not be negative"]),
        ('{"Memory":1.5}', ["Memory: must be a whole number, not a number with a fraction or exponent"]),
        ('{"Memory":true}', ["Memory: must be a whole number, not true or false"]),
        ('{"BootWait":"10"}', ["BootWait: must be a number of seconds or a duration such as 10s or 1m30s"]),
        ('{"Cpus":0}', ["Cpus: must be more than 0"]),
        ('{"Type":"leader"}', ['Type: must be manager or worker, not "leader"']),
        ('{"Ready":"yes"}', ["Ready: must be true or false, not a string"]),
        ('{"Tags":{"a":1,"A":"x"}}', ["Tags.a: must be a string, not a number: put it in quotes"]),
        ('{"Tags":{"a":"1","a":"x"}}', ["Tags.a: is written twice (first on line 1)"]),
        ('{"memory":1,"Memory":2}', ["Memory: is written twice (first on line 1, as memory)"]),
        (
            '{"Part":{"Plugin":"x","Properties":{"n":[{"k":1,"k":2}]}}}',
            ["Part.Properties.n[0].k: is written twice (first on line 1)"],
        ),
        (
            '{"Init":[1],"Ready":false}',
            ["Init[0]: must be a string, not a number: put it in quotes", "Init: needs Ready"],
        ),
        ("[]", ["must be an object, not a list"]),
        ('{"Memory":1', ["this is not JSON: expected a comma or }, found the end of the file"]),
        ("{} {}", ["must be one JSON value"]),
        ('{"Memory":1e999}', ["1e999 is out of the range of numbers"]),
    ],
)
def test_every_fault_has_its_path_and_words(text: str, expected: list[str]) -> None:
    assert faults(text) == expected


def test_faults_of_all_fields_come_at_once() -> None:
    assert len(faults('{"Memory":-1,"Cpus":"x","Nope":1,"Network":{"Name":""}}')) == 4


def test_prefixed_places_the_faults_of_a_part_in_the_whole() -> None:
    part = [Fault("is bad", "Network.Name"), Fault("is bad"), Fault("is bad", "[0]")]
    assert [str(fault) for fault in prefixed(part, "P.I", "a.yaml", len)] == [
        "a.yaml:16: P.I.Network.Name: is bad",
        "a.yaml:3: P.I: is bad",
        "a.yaml:6: P.I[0]: is bad",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"Nope":1,"NETWORK":{"name":"a","nope":[{"x":1,"x":2}]}}', {"Network": Net(Name="a")}),  # type: ignore[call-arg]
        ('{"memory":1,"Memory":2}', {"Memory": 2}),
        ('{"Memory":2,"memory":null}', {"Memory": 2}),
        ('{"Tags":{"a":"1","A":"x","a":"2"}}', {"Tags": {"a": "2", "A": "x"}}),
        (
            '{"Part":{"Plugin":"x","Properties":{"n":1,"n":2}}}',
            {"Part": Nested(Plugin="x", Properties='{"n":1,"n":2}')},
        ),  # type: ignore[call-arg]
    ],
)
def test_read_leniently_unknown_fields_are_ignored_and_the_last_of_two_counts(
    text: str, expected: Mapping[str, object]
) -> None:
    """infrakit-compat.md 1.3: as Go's decoder does; what has the wrong type is refused all the same."""
    with pytest.raises(InvalidError):
        read(RawJson(text.replace("null", "1").encode()), Machine)
    assert read(RawJson(text.encode()), Machine, lenient=True) == Machine(**expected)
    with pytest.raises(InvalidError, match="must be a whole number"):
        read(RawJson(b'{"Memory":true}'), Machine, lenient=True)
