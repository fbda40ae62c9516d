"""A tree meets a pydantic model: names in any case, unknown ones refused, short forms expanded, every fault kept."""

import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Annotated, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from skep.model.errors import Fault, InvalidError
from skep.model.json import Json
from skep.specs.messages import faults_of, listed
from skep.specs.node import ROOT, Field, Lines, Node, Path, Shape, ends, raw, under, value

M = TypeVar("M", bound="Properties")

_ACRONYMS = {"id": "ID", "ids": "IDs", "gpus": "GPUs", "uid": "UID", "gid": "GID", "ip": "IP", "url": "URL"}


def documented(name: str) -> str:
    """The documented name of a Python field: `logical_ids` is `LogicalIDs`."""
    return "".join(_ACRONYMS.get(word, word.capitalize()) for word in name.split("_"))


class Properties(BaseModel):
    """What a plugin, or a document, may be told: strict, closed and frozen.

    Fields are written in snake_case and documented in PascalCase; lists are declared `tuple[X, ...]`,
    maps `dict[str, X]`, opaque parts `RawProperties`. A field that is null counts as absent.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        strict=True, extra="forbid", frozen=True, alias_generator=documented, allow_inf_nan=False
    )

    @classmethod
    def check(cls, given: Mapping[str, object]) -> Iterator[Fault]:
        """Faults between fields, with paths from here on.

        `given` has documented names; its values are not checked yet and may have any type.
        """
        yield from ()


@dataclass(frozen=True, slots=True)
class Opaque:
    """Marks a str field that takes any JSON value, as its text."""


@dataclass(frozen=True, slots=True)
class Short:
    """Marks a field that may also be written in another shape; `expand` gives the value in full.

    `expand` raises ValueError, or InvalidError for several faults with paths from the field on; a value that
    it does not know it returns as it is.
    """

    expand: Callable[[Json], object]


RawProperties = Annotated[str, Opaque()]
"""A field that only somebody else understands: any JSON value, kept as the text that was written."""

UNKNOWN_MAX = 100
"""Fields of one object that are not known and are told one by one: guessing what was meant takes 0.2 ms for each."""

ALIKE_MIN = 0.75
"""How alike two names must be (difflib's ratio) to be a slip: `Nmae` is Name, `Targt` is not Restart."""

GUESSED_MAX = 40
"""Characters of a field that it is worth guessing for."""

_NATIVE = {tuple: Shape.LIST, dict: Shape.OBJECT}


@dataclass(frozen=True, slots=True)
class _Form:
    """What a field's annotation asks of the tree."""

    model: "type[Properties] | None" = None
    inner: "_Form | None" = None
    native: Shape | None = None
    short: Short | None = None
    opaque: bool = False


def _form(annotation: object, metadata: tuple[object, ...] = ()) -> _Form:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _form(args[0], args[1:] + metadata)
    if origin in (Union, types.UnionType):
        kept = [arg for arg in args if arg is not type(None)]
        return _form(kept[0], metadata) if len(kept) == 1 else _Form()
    short = next((mark for mark in metadata if isinstance(mark, Short)), None)
    opaque = any(isinstance(mark, Opaque) for mark in metadata)
    if isinstance(annotation, type) and issubclass(annotation, Properties):
        return _Form(annotation, None, Shape.OBJECT, short, opaque)
    if origin in _NATIVE:
        inner = args[0] if origin is tuple else args[1]
        return _Form(None, _form(inner), _NATIVE[origin], short, opaque)
    return _Form(short=short, opaque=opaque)


class _Unusable:
    """Stands in for a value that already has its fault, so that list indices stay; no type check accepts it."""


def bind(node: Node, model: type[M], *, lenient: bool = False) -> tuple[M | None, list[Fault]]:
    """The typed value of a tree, or None and every fault with its path and, below `node`, its line.

    `lenient` reads as Go does (infrakit-compat.md 1.3): unknown fields are ignored, and of a key that is written twice
    the last counts.
    """
    binder = _Binder(lenient)
    data = binder.bind(_form(model), node, ROOT)
    faults = binder.faults
    bound: M | None = None
    try:
        bound = model.model_validate(data)
    except ValidationError as error:
        known = {fault.path for fault in faults} | set(binder.unusable)
        faults = faults + [fault for fault in faults_of(error) if not _below(fault.path, known)]
    known = {fault.path for fault in faults}
    faults = faults + [fault for fault in binder.between if not _below(fault.path, known)]
    lines = Lines(node)
    placed = sorted((_placed(fault, lines) for fault in faults), key=lambda fault: fault.line)
    return (None if placed else bound), placed


def _placed(fault: Fault, lines: Lines) -> Fault:
    return fault if fault.line else replace(fault, line=lines.of(fault.path))


def _below(path: str, known: set[str]) -> bool:
    """Whether a fault of the same place, or of what holds it, is known: this one only follows from it."""
    return path in known or any(path[:end] in known for end in ends(path))


class _Binder:
    """Walks a tree beside the forms of a model and collects what pydantic can't know."""

    def __init__(self, lenient: bool) -> None:
        self._lenient = lenient
        self.faults: list[Fault] = []
        self.between: list[Fault] = []
        self.unusable: list[str] = []

    def bind(self, form: _Form, node: Node, path: Path) -> object:
        if form.opaque:
            self._distinct(node, path)
            return raw(node).decode()
        if form.short and node.shape is not form.native:
            return self._expanded(form, form.short, node, path)
        if form.model and node.shape is Shape.OBJECT:
            return self._model(form.model, node, path)
        if form.inner and node.shape is form.native:
            return self._collection(form.inner, node, path)
        self._distinct(node, path)
        return value(node)

    def _expanded(self, form: _Form, short: Short, node: Node, path: Path) -> object:
        self._distinct(node, path)
        try:
            full = short.expand(value(node))
            if form.model and isinstance(full, Mapping):
                self.between += prefixed(form.model.check(full), path)
            return full
        except InvalidError as error:
            self.faults += prefixed(error.faults, path)
        except ValueError as error:
            self.faults.append(Fault(str(error), path))
        self.unusable.append(path)
        return _Unusable()

    def _collection(self, inner: _Form, node: Node, path: Path) -> object:
        if node.shape is Shape.LIST:
            return tuple(self.bind(inner, item, under(path, index)) for index, item in enumerate(node.items))
        self._twice(node, path, lambda name: name)
        return {item.name: self.bind(inner, item.node, under(path, item.name)) for item in node.fields}

    def _model(self, model: type[Properties], node: Node, path: Path) -> object:
        known = {(info.alias or name).casefold(): name for name, info in model.model_fields.items()}
        self._twice(node, path, lambda name: _alias(model, known.get(name.casefold(), name)), fold=True)
        if not self._lenient:
            self.faults += _unknown(model, [item for item in node.fields if item.name.casefold() not in known], path)
        data: dict[str, object] = {}
        for item in node.fields:
            name = known.get(item.name.casefold())
            if name is None:
                continue
            info, alias = model.model_fields[name], _alias(model, name)
            form = _form(info.annotation, tuple(info.metadata))
            if item.node.shape is not Shape.NULL or form.opaque:
                data[alias] = self.bind(form, item.node, under(path, alias))
        self.between += prefixed(model.check(data), path)
        return data

    def _twice(self, node: Node, path: Path, spelled: Callable[[str], str], *, fold: bool = False) -> None:
        seen: dict[str, Field] = {}
        for item in () if self._lenient else node.fields:
            first = seen.setdefault(item.name.casefold() if fold else item.name, item)
            if first is not item:
                also = f", as {first.name}" if first.name != item.name else ""
                place = f" (first on line {first.line}{also})" if first.line else ""
                self.faults.append(Fault(f"is written twice{place}", under(path, spelled(item.name)), "", item.line))

    def _distinct(self, node: Node, path: Path) -> None:
        """Refuse a key that is written twice anywhere in a part that no model describes."""
        self._twice(node, path, lambda name: name)
        for item in node.fields:
            self._distinct(item.node, under(path, item.name))
        for index, child in enumerate(node.items):
            self._distinct(child, under(path, index))


def _alias(model: type[Properties], name: str) -> str:
    info = model.model_fields.get(name)
    return (info.alias or name) if info else name


def _unknown(model: type[Properties], items: Sequence[Field], path: Path) -> list[Fault]:
    """A fault for each field that the model does not have, up to what somebody can mend."""
    aliases = {_alias(model, name).casefold(): _alias(model, name) for name in model.model_fields}
    faults = [_unknown_field(aliases, item, path) for item in items[:UNKNOWN_MAX]]
    if len(items) > UNKNOWN_MAX:
        left = f"has {len(items) - UNKNOWN_MAX} more fields that are none here"
        faults.append(Fault(left, path, "", items[UNKNOWN_MAX].line))
    return faults


def _unknown_field(aliases: Mapping[str, str], item: Field, path: Path) -> Fault:
    close = get_close_matches(item.name.casefold(), aliases, 1, ALIKE_MIN) if len(item.name) <= GUESSED_MAX else []
    told = f"did you mean {aliases[close[0]]}?" if close else f"there are {listed(tuple(aliases.values()))}"
    return Fault(f"is not a field here; {told}", under(path, item.name), "", item.line)


def prefixed(
    faults: Iterable[Fault],
    prefix: str,
    file: str = "",
    line: Callable[[str], int] | int = 0,
) -> list[Fault]:
    """The faults of a part as faults of the whole: `prefix` before each path, and where it is written.

    `line` is one number, or what finds it from the whole path (`ParsedSpec.line_of`); lines and files that a
    fault already has stay.
    """
    return [_prefixed(fault, prefix, file, line) for fault in faults]


def _prefixed(fault: Fault, prefix: str, file: str, line: Callable[[str], int] | int) -> Fault:
    path = f"{prefix}{fault.path}" if fault.path.startswith("[") else ".".join(filter(None, (prefix, fault.path)))
    found = line(path) if callable(line) else line
    return Fault(fault.message, path, fault.file or file, fault.line or found)
