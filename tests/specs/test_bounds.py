"""What a file may hold at most, and that faults by the thousand are found and placed in time."""

import json

import pytest

from skep.model.errors import Fault, InvalidError
from skep.specs.json_text import read_json
from skep.specs.node import KEY_MAX, REPEATED_MAX, Lines
from skep.specs.source import SourceFile, parse, prepared, read

WEB = '{"Name": "web", "Image": "web:1", "Count": 1}'


def _faults(text: str, name: str = "a.json") -> list[Fault]:
    with pytest.raises(InvalidError) as caught:
        parse([SourceFile(name, text)])
    return list(caught.value.faults)


def _workload(**fields: object) -> str:
    return json.dumps({"Name": "web", "Image": "web:1", "Count": 1} | fields)


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_keys_have_a_length(name: str) -> None:
    assert len(parse([SourceFile(name, _workload(Labels={"k" * KEY_MAX: "x"}))])) == 1
    (fault,) = _faults(_workload(Labels={"k" * (KEY_MAX + 1): "x"}), name)
    assert fault.message == f"a key has at most {KEY_MAX} characters"


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
@pytest.mark.parametrize(("repeats", "faults"), [(3, 3), (REPEATED_MAX, REPEATED_MAX), (REPEATED_MAX + 1, 1)])
def test_keys_that_are_written_twice_are_told_until_it_is_enough(name: str, repeats: int, faults: int) -> None:
    env = ",".join(['"A": "b"'] * (repeats + 1))
    found = _faults(f'{{"Name": "web", "Image": "web:1", "Count": 1, "Env": {{{env}}}}}', name)
    assert len(found) == faults
    assert "written twice" in found[0].message


def test_unknown_fields_are_told_one_by_one_and_then_by_their_number() -> None:
    found = _faults(_workload(**{f"Field{n}": 0 for n in range(150)}))
    assert len(found) == 101
    assert found[99].path == "Field99"
    assert found[100].message == "has 50 more fields that are none here"


def test_a_command_of_one_line_has_a_length() -> None:
    (fault,) = _faults(_workload(Command="x" * 20_000))
    assert (fault.path, "as one line; write it as a list" in fault.message) == ("Command", True)
    assert len(parse([SourceFile("a.json", _workload(Command=["x" * 20_000]))])) == 1


def test_thousands_of_faults_have_their_lines() -> None:
    text = _workload(Env={f"A{n}": n for n in range(5000)}).replace('"A', '\n"A')
    found = _faults(text)
    assert [fault.line for fault in found] == list(range(2, 5002))
    assert found[-1].path == "Env.A4999"


@pytest.mark.parametrize(
    ("path", "line"),
    [("", 1), ("a", 2), ("A", 2), ("a.b", 3), ("a.b.c", 5), ("a.b[1]", 4), ("a.b[1].x", 4), ("a.x", 2), ("x", 1)],
)
def test_a_path_leads_to_its_line_or_to_that_of_what_holds_it(path: str, line: int) -> None:
    """The longest name counts: `b.c` is one key here."""
    (node,) = read_json('{\n"a": {\n"b": [0,\n1],\n"b.c": 0,\n"": 0}}').documents
    lines = Lines(node)
    assert [lines.of(path) for _ in range(2)] == [line] * 2


def test_a_file_that_is_prepared_reads_the_same() -> None:
    for text in (WEB, "nonsense", "[" + WEB + ", 5]"):
        file = SourceFile("a.yaml", text)
        assert read([prepared(file)]) == read([file])
        assert prepared(file) == file
    assert (prepared(SourceFile("a", WEB * 2)).documents, SourceFile("a", WEB).documents) == (2, 0)
