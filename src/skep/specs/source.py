"""Files as people write them to specs: the border where all faults are found, before anything is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from skep.model.errors import Fault, InvalidError
from skep.model.spec import Key, Kind, Spec
from skep.specs.binding import bind
from skep.specs.group import GroupDocument
from skep.specs.json_text import read_json
from skep.specs.node import TEXT_MAX, Lines, Node, Reading, Shape
from skep.specs.workload import WorkloadDocument
from skep.specs.yaml_text import read_yaml

DOCUMENTS_MAX = 1_000
"""Documents in one apply. Each is a key that is written and worked on; far more than one controller is meant for."""

_TELLING = {"group": frozenset({"id", "properties"}), "workload": frozenset({"name", "image", "count"})}


@dataclass(frozen=True, slots=True)
class ParsedSpec:
    """A spec, and where it was written."""

    spec: Spec
    file: str
    line: int
    _lines: Lines = field(repr=False, compare=False)

    def line_of(self, path: str) -> int:
        """The line of what `path` names (`Properties.Allocation.Size`), or of the innermost part that is there."""
        return self._lines.of(path)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file by the name that the user gave (`standard input` for `-`), and its text."""

    name: str
    text: str
    _outcome: "_Outcome | None" = field(default=None, repr=False, compare=False)

    @property
    def documents(self) -> int:
        """How many specs it holds that could be read; 0 where it is not `prepared`."""
        return len(self._outcome.parsed) if self._outcome else 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one file. `kinds`: which each of its documents is, and on which line, if it tells."""

    parsed: tuple[ParsedSpec, ...]
    faults: tuple[Fault, ...]
    kinds: tuple[tuple[str, int], ...]


def prepared(file: SourceFile) -> SourceFile:
    """The same file, parsed already: `parse` and `read` are quick with it. For those who may not be held up."""
    return replace(file, _outcome=_outcome(file))


def parse(files: Sequence[SourceFile]) -> tuple[ParsedSpec, ...]:
    """Every spec of every file, in order. InvalidError holds every fault of all of them; an empty result is none."""
    parsed, faults = read(files)
    if faults:
        raise InvalidError(faults)
    return parsed


def read(files: Sequence[SourceFile], kind: Kind | None = None) -> tuple[tuple[ParsedSpec, ...], tuple[Fault, ...]]:
    """The specs that could be read, and every fault of the others: for those who find more faults in the former.

    kind: the only one that the files may hold. What is of another is told of by both, whatever else is wrong with it.
    """
    faults: list[Fault] = []
    parsed: list[ParsedSpec] = []
    for file in files:
        outcome = file._outcome or _outcome(file)
        parsed += outcome.parsed
        faults += [_of_another_kind(file, told, line, kind) for told, line in outcome.kinds if kind not in (None, told)]
        faults += outcome.faults
    faults += _repeated(parsed)
    if len(parsed) > DOCUMENTS_MAX:
        faults.append(Fault(f"at most {DOCUMENTS_MAX} documents may be given at once, not {len(parsed)}"))
    return tuple(parsed), tuple(faults)


def _outcome(file: SourceFile) -> _Outcome:
    reading = _read(file)
    unread = {fault.line for fault in reading.faults}
    parsed: list[ParsedSpec] = []
    faults = list(reading.faults)
    documents = list(_documents(reading))
    for node in documents:
        spec, wrong = _spec(node)
        faults += [fault for fault in wrong if fault.line not in unread]
        if spec:
            parsed.append(ParsedSpec(spec, file.name, node.line, Lines(node)))
    in_order = sorted(faults, key=lambda fault: fault.line)
    kinds = [(_kind(node)[0], node.line) for node in documents if node.shape is Shape.OBJECT]
    told = tuple((kind, line) for kind, line in kinds if kind)
    return _Outcome(tuple(parsed), tuple(replace(fault, file=file.name) for fault in in_order), told)


def _of_another_kind(file: SourceFile, told: str, line: int, kind: Kind | None) -> Fault:
    return Fault(f"is a {told}, and only a {kind} is taken here", file=file.name, line=line)


def _read(file: SourceFile) -> Reading:
    """The trees of a file: JSON by its name or first character, else YAML; YAML in flow style starts like JSON."""
    text = file.text.removeprefix("\ufeff")
    if len(text) > TEXT_MAX:
        return Reading(faults=[Fault(f"a file has at most {TEXT_MAX} characters, not {len(text)}")])
    if any("\ud800" <= char <= "\udfff" for char in text):
        return Reading(faults=[Fault("the file is not UTF-8 text")])
    named = file.name.lower().endswith(".json")
    if named or text.lstrip()[:1] in ("{", "["):
        reading = read_json(text)
        if named or not reading.faults:
            return reading
        return _likelier(reading, read_yaml(text))
    return read_yaml(text)


def _likelier(as_json: Reading, as_yaml: Reading) -> Reading:
    """What read further: quoted keys and a missing comma are JSON with a mistake, bare keys are YAML."""
    return as_yaml if not as_yaml.faults or _last_line(as_yaml) > _last_line(as_json) else as_json


def _last_line(reading: Reading) -> int:
    return max(fault.line for fault in reading.faults)


def _documents(reading: Reading) -> Iterator[Node]:
    """A list of documents is as good as the documents in a row."""
    for document in reading.documents:
        if document.shape is Shape.LIST:
            yield from document.items
        elif document.shape is not Shape.NULL:
            yield document


def _spec(node: Node) -> tuple[Spec | None, list[Fault]]:
    if node.shape is not Shape.OBJECT:
        return None, [Fault(f"a document must be an object, not {node.shape}", line=node.line)]
    kind, fault = _kind(node)
    if fault:
        return None, [fault]
    if kind == "group":
        group, faults = bind(node, GroupDocument)
        return (group.spec() if group else None), faults
    workload, faults = bind(node, WorkloadDocument)
    return (workload.spec() if workload else None), faults


def spec_of(node: Node) -> Spec:
    """The spec of one document; InvalidError has every fault, without a file."""
    spec, faults = _spec(node)
    if spec is None:
        raise InvalidError(faults)
    return spec


def _kind(node: Node) -> tuple[str, Fault | None]:
    """What a document is: as it says by Kind, else as its keys tell."""
    fields = {item.name.casefold(): item for item in node.fields}
    if (said := fields.get("kind")) and said.node.shape is not Shape.NULL:
        if said.node.string in _TELLING:
            return said.node.string, None
        return "", Fault("must be group or workload", "Kind", line=said.line)
    told = {kind: len(keys & fields.keys()) for kind, keys in _TELLING.items()}
    if told["group"] != told["workload"]:
        return max(told, key=lambda kind: told[kind]), None
    return "", Fault("is neither a group (ID, Properties) nor a workload (Name, Image, Count)", line=node.line)


def _repeated(parsed: Sequence[ParsedSpec]) -> Iterator[Fault]:
    """One key, one document: which of two should win could only be guessed."""
    first: dict[Key, ParsedSpec] = {}
    for one in parsed:
        other = first.setdefault(one.spec.key, one)
        if other is not one:
            path = "ID" if one.spec.key.kind == "group" else "Name"
            message = f"{one.spec.key} is written twice: first in {other.file}:{other.line_of(path)}"
            yield Fault(message, path, one.file, one.line_of(path))
