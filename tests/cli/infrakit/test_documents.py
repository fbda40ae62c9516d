"""What people write: JSON that passes through untouched, Go's words for what is none, and YAML."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.cli.infrakit.documents import group_spec, instance_spec, read_document
from skep.cli.infrakit.failures import Failure
from skep.cli.infrakit.go_syntax import syntax_error
from skep.cli.infrakit.json_text import compact, elements, indented, members, read, string
from skep.cli.infrakit.yaml_text import VALUES_MAX
from skep.model.go_json import go_string
from tests.cli.infrakit.command_line import process
from tests.cli.infrakit.plugin_double import PluginDouble

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=12,
)


@given(TREES, st.sampled_from([None, 0, 3]), st.booleans())
def test_json_survives_being_compacted_and_indented(tree: object, indent: int | None, is_ascii: bool) -> None:
    text = json.dumps(tree, indent=indent, ensure_ascii=is_ascii)
    assert json.loads(compact(text)) == tree
    assert json.loads(indented(text, "  ", "  ")) == tree
    assert syntax_error(text) == ""


@given(TREES)
def test_indentation_is_that_of_everybody(tree: object) -> None:
    plain = json.dumps(tree, indent=2)
    if not set(plain) & set("<>&"):
        assert indented(plain, "", "  ") == plain


@given(st.dictionaries(st.text(), TREES, max_size=4), st.lists(TREES, max_size=4))
def test_parts_are_cut_out_as_written(names: dict[str, object], values: list[object]) -> None:
    text = json.dumps(names, indent=1)
    assert members(text) == {
        name.lower(): json.dumps(value, indent=1).replace("\n", "\n ") for name, value in names.items()
    }
    assert [json.loads(one) for one in elements(f" {json.dumps(values)} ")] == values


@given(st.text())
def test_text_is_written_as_go_writes_it(text: str) -> None:
    assert string(text) == go_string(text)


@given(st.text(alphabet='{}[]",:\\ \n0123-+.eEtrufalsnx\x01é', max_size=12))
def test_the_two_readers_agree_on_what_is_json(text: str) -> None:
    """One is fast, the other one finds Go's words."""
    wrong = syntax_error(text)
    if wrong:
        with pytest.raises(Failure) as caught:
            read(text)
        assert str(caught.value) == wrong
    else:
        read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ("tru", "unexpected end of JSON input"),
        ("NaN", "invalid character 'N' looking for beginning of value"),
        ("{a", "invalid character 'a' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("{}x", "invalid character 'x' after top-level value"),
        ("01", "invalid character '1' after top-level value"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1ex", "invalid character 'x' in exponent of numeric literal"),
        ("trux", "invalid character 'x' in literal true (expecting 'e')"),
        ('"\n"', "invalid character '\\n' in string literal"),
        ('"\\x"', "invalid character 'x' in string escape code"),
        ('"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"),
        ("'", "invalid character '\\'' looking for beginning of value"),
        ("é", "invalid character 'Ã' looking for beginning of value"),
        ("[" * 100_000, "exceeded max depth"),
    ],
)
def test_what_is_no_json_is_told_in_gos_words(text: str, message: str) -> None:
    with pytest.raises(Failure) as caught:
        read(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ('{"id":"a","properties":{"n": 1e6},"Plugin":"x"}', '{"ID":"a","Properties":{"n":1e6}}'),
        ('{"ID":"a","id":"b"}', '{"ID":"b","Properties":null}'),
        ("null", '{"ID":"","Properties":null}'),
        ("{}", '{"ID":"","Properties":null}'),
    ],
)
def test_a_group_is_read_as_go_reads_it(text: str, spec: str) -> None:
    """infrakit-compat.md 1.3: names in any case, unknown ones ignored, the last one wins, absent is empty."""
    assert group_spec(text)[1] == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"Tags":[]}', "json: cannot unmarshal array into Go struct field Spec.Tags of type map[string]string"),
        ('{"Tags":{"a":1}}', "json: cannot unmarshal number into Go struct field Spec.Tags of type string"),
        ('{"Init":["a"]}', "json: cannot unmarshal array into Go struct field Spec.Init of type string"),
        (
            '{"LogicalID":true}',
            "json: cannot unmarshal bool into Go struct field Spec.LogicalID of type instance.LogicalID",
        ),
        (
            '{"Attachments":"x"}',
            "json: cannot unmarshal string into Go struct field Spec.Attachments of type []instance.Attachment",
        ),
        (
            '{"Attachments":["x"]}',
            "json: cannot unmarshal string into Go struct field Spec.Attachments of type instance.Attachment",
        ),
        ("5", "json: cannot unmarshal number into Go value of type instance.Spec"),
    ],
)
def test_an_instance_that_is_none_is_told_in_gos_words(text: str, message: str) -> None:
    with pytest.raises(Failure) as caught:
        instance_spec(text)
    assert str(caught.value) == message


def test_attachments_are_sent_whole() -> None:
    sent = instance_spec('{"attachments":[{"id":"vol-1","type":"ebs"},{}],"logicalid":"a"}')
    assert sent == (
        '{"Properties":null,"Tags":null,"Init":"","LogicalID":"a",'
        '"Attachments":[{"ID":"vol-1","Type":"ebs"},{"ID":"","Type":""}]}'
    )


YAML = """\
# cattle, as people would rather write them
ID: cattle
Properties:
  Allocation: {Size: 5}
  Instance:
    Plugin: instance-file
    Properties: &same {n: 1e6, big: 12345678901234567890, hex: 0x10, half: .5, word: yes, none: ~, on: 2026-01-02}
  Flavor:
    Plugin: flavor-vanilla
    Properties:
      Init: [echo a]
      Again: *same
"""


@pytest.mark.parametrize("name", ["g.yaml", "g.yml", "g", "g.txt"])
def test_yaml_is_read_as_what_it_means(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(YAML)
    same = '{"n":1e6,"big":12345678901234567890,"hex":16,"half":0.5,"word":"yes","none":null,"on":"2026-01-02"}'
    assert read_document(str(tmp_path / name)) == (
        '{"ID":"cattle","Properties":{"Allocation":{"Size":5},"Instance":{"Plugin":"instance-file",'
        f'"Properties":{same}}},'
        f'"Flavor":{{"Plugin":"flavor-vanilla","Properties":{{"Init":["echo a"],"Again":{same}}}}}}}}}'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "yaml: line 1: expected the node content, but found '<stream end>'"),
        ("a: 1\nb: !mine 2\n", "yaml: line 2: !mine has no JSON"),
        ("a: .inf", "yaml: line 1: .inf is no number of JSON"),
        ("[a]: b", "yaml: line 1: a name has to be a text"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{x}: &{x} [{','.join(['*' + y] * 10)}]\n" for y, x in zip("abcde", "bcdef", strict=True)),
            f"yaml: more than {VALUES_MAX} values, aliases written out",
        ),
    ],
)
def test_yaml_that_has_no_json_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "g.yaml").write_text(text)
    with pytest.raises(Failure) as caught:
        read_document(str(tmp_path / "g.yaml"))
    assert str(caught.value) == message


def test_what_begins_like_json_is_not_taken_for_yaml(tmp_path: Path) -> None:
    """InfraKit refused it, and so it is refused."""
    for name, text in (("g", "{a: 1}"), ("g.json", "a: 1"), ("g", "word")):
        (tmp_path / name).write_text(text)
        with pytest.raises(Failure, match="looking for beginning of"):
            read_document(str(tmp_path / name))


@pytest.mark.parametrize("text", ['{"ID":"cattle"}', "ID: cattle\n", '\ufeff{"ID":"cattle"}'])
def test_a_dash_is_standard_input(group: PluginDouble, text: str) -> None:
    group.answers["Group.CommitGroup"] = '{"Details":"Noop"}'
    result = process("group", "commit", "-", given=text.encode())
    assert (result.code, result.out, result.err) == (0, "Committed cattle: Noop\n", "")
    assert group.params() == '{"Spec":{"ID":"cattle","Properties":null},"Pretend":false}'


def test_only_one_file_can_be_standard_input(flavor: PluginDouble) -> None:
    result = process("flavor", "prepare", "-", "-", "--name", "flavor-vanilla", given=b"{}")
    assert (result.code, result.out) == (1, "")
    assert "only one of the two files can be read from stdin" in result.err
