"""YAML as JSON, for files that people would rather write so."""

from __future__ import annotations

from skep.cli.infrakit.failures import Failure
from skep.cli.infrakit.json_text import Number, read, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Node: TypeAlias = Any
    """A node of ruamel's: its `id` says of what kind, its `value` holds what is below."""

VALUES_MAX = 20_000
"""Values in one file, aliases written out: the largest groups fit, "billion laughs" do not."""

PLAIN = "tag:yaml.org,2002:"
TEXTS = frozenset({"str", "timestamp"})
"""JSON has no moments: what looks like one is the text that it was written as."""
NAMES = TEXTS | {"int", "float", "bool", "null"}
"""What a name in a mapping may look like: it is a text there all the same."""
INFINITE = frozenset({"inf", "-inf", "nan"})


def json_of_yaml(text: str) -> str:
    """Its JSON; numbers that JSON can spell keep their spelling. Failure: it is no YAML, or says what JSON can't."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - takes ten times as long to load as a command
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    try:
        return _Writer().write(YAML(typ="safe", pure=True).compose(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Failure(f"yaml: {f'line {mark.line + 1}: ' if mark else ''}{error.problem or error.context}") from error
    except YAMLError as error:
        raise Failure(f"yaml: {error}") from error
    except RecursionError as error:
        raise Failure("yaml: exceeded max depth") from error


class _Writer:
    """Counts what it writes."""

    def __init__(self) -> None:
        self._count = 0

    def write(self, node: Node | None) -> str:
        self._count += 1
        if self._count > VALUES_MAX:
            raise Failure(f"yaml: more than {VALUES_MAX} values, aliases written out")
        if node is None:
            return "null"
        if node.id == "mapping":
            return f"{{{','.join(f'{_name(name)}:{self.write(value)}' for name, value in node.value)}}}"
        return f"[{','.join(map(self.write, node.value))}]" if node.id == "sequence" else _scalar(node)


def _name(node: Node) -> str:
    if node.id != "scalar" or _tag(node) not in NAMES:
        raise _fault(node, "a name has to be a text")
    return string(node.value)


def _scalar(node: Node) -> str:
    tag, value = _tag(node), str(node.value)
    if tag in TEXTS:
        return string(value)
    if tag in {"null", "bool"}:
        return "null" if tag == "null" else value.lower()
    if tag not in {"int", "float"}:
        raise _fault(node, f"{node.tag} has no JSON")
    return value if _is_number(value) else _number(node, tag, value)


def _is_number(text: str) -> bool:
    """Whether JSON spells it so, too."""
    try:
        return isinstance(read(text), Number) and text == text.strip()
    except Failure:
        return False


def _number(node: Node, tag: str, value: str) -> str:
    try:
        if tag == "int":
            return str(int(value, 10 if value.lstrip("+-").isdigit() else 0))
        found = repr(float(value.replace("_", "")))
    except ValueError:
        found = "nan"
    if found in INFINITE:
        raise _fault(node, f"{value} is no number of JSON")
    return found


def _tag(node: Node) -> str:
    return str(node.tag).removeprefix(PLAIN)


def _fault(node: Node, what: str) -> Failure:
    return Failure(f"yaml: line {node.start_mark.line + 1}: {what}")
