"""Templates of scripts and files: Jinja2 in a sandbox, with limits, and errors that name file and line.

Whoever may write a template may write a script, so the sandbox guards this process and not the machine: a template
reads no file, calls nothing but what is listed here, and ends.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from functools import wraps
from itertools import chain
from types import TracebackType
from typing import Any, TypeVar, cast

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.sandbox import SandboxedEnvironment

from skep.model.errors import Fault, InvalidError

TEXT_MAX = 1024 * 1024
"""Characters of a result, and of any text on the way to it: user data of clouds ends at 16 KiB to 256 KiB."""

STEPS_MAX = 100_000
"""Turns of loops and calls in one rendering: a tenth of a second."""

WORK_MAX = 16 * TEXT_MAX
"""Characters, and parts of lists, that the methods and operators of one rendering are given together: some seconds at
the worst."""
FILTER_WORK = 8
"""What is given to a filter counts so often: to sort takes as much longer than to compare."""

BITS_MAX = 4096
"""Of an integer that is reckoned with."""

METHODS = frozenset(
    {"endswith", "get", "items", "keys", "lower", "lstrip", "rstrip", "split", "splitlines", "startswith"}
    | {"strip", "title", "upper", "values"}
)
"""Methods of strings and maps that a template may call: none makes much of little."""

_FILTERS = frozenset(
    {"abs", "capitalize", "d", "default", "dictsort", "first", "float", "int", "items", "last", "length", "list"}
    | {"lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "string"}
    | {"title", "trim", "unique", "upper"}
)
"""Those of Jinja2 that make no more than they are given."""

Value = TypeVar("Value")

_TOKEN = re.compile(r"SWMTKN-[\w-]+")
_PLACE = "<template>"


def render(text: str, name: str, values: Mapping[str, object]) -> str:
    """`text` with `values` put in; `name` is what errors call the template, a file or URL.

    Undefined names are errors. Line breaks stay as they are, the last one too. InvalidError names file and line.
    """
    environment = _Environment()
    try:
        return "".join(environment.from_string(text).generate(**values))
    except TemplateSyntaxError as error:
        raise _invalid(error.message or "is no template", name, error.lineno) from error
    except RecursionError as error:
        raise _invalid("it calls itself without end", name, _line(error.__traceback__)) from None
    except Exception as error:
        # What a template does wrong shows as any error at all: of a filter, of an operator, of the sandbox.
        raise _invalid(str(error) or type(error).__name__, name, _line(error.__traceback__)) from None


def _invalid(message: str, name: str, line: int) -> InvalidError:
    return InvalidError([Fault(_TOKEN.sub("SWMTKN-…", message), file=name, line=line)])


def _line(traceback: TracebackType | None) -> int:
    """The template's line that was being rendered: Jinja2 puts it into the traceback."""
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == _PLACE:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


class _Environment(SandboxedEnvironment):
    """For one rendering: what is left of its steps and of its characters is counted here."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True, finalize=self._written)
        self._steps = 0
        self._characters = 0
        self._work = 0
        filters = {name: FILTERS[name] for name in _FILTERS} | {
            "join": _join,
            "replace": _replace,
            "quote": lambda value: shlex.quote(str(value)),
            "tojson": lambda value: json.dumps(value, ensure_ascii=False),
        }
        own = {"counted": self._counted, "concatenated": self._concatenated, "compared": self._compared}
        self.filters = {name: self._bounded(filter) for name, filter in filters.items()} | own
        self.globals = {"range": self._range}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Loops, `~`, comparisons, tests and slices go through filters of ours, which count."""
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = _filtered(loop.iter, "counted")
        for concat in list(tree.find_all(nodes.Concat)):
            concat.nodes = [_filtered(nodes.List(concat.nodes, lineno=concat.lineno), "concatenated")]
        for compare in list(tree.find_all(nodes.Compare)):
            compare.expr = _filtered(compare.expr, "compared")
        for operand in list(tree.find_all(nodes.Operand)):
            operand.expr = _filtered(operand.expr, "compared")
        for test in list(tree.find_all(nodes.Test)):
            test.node = _filtered(test.node, "compared")
        for item in list(tree.find_all(nodes.Getitem)):
            if isinstance(item.arg, nodes.Slice):
                item.node = _filtered(item.node, "compared")
        return tree

    def call(self, context: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:
        self._step()
        for item in (getattr(obj, "__self__", None), *args, *kwargs.values()):
            self._light(item)
        return super().call(context, obj, *args, **kwargs)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if callable(value) and isinstance(obj, str | bytes | int | float | list | tuple | dict):
            return attr in METHODS
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Jinja2 would let it through, and it makes long texts of short ones."""

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        self._worked(_size_of(operator, left, right))
        return super().call_binop(context, operator, left, right)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise SecurityError(f"it takes more than {STEPS_MAX} steps")

    def _worked(self, characters: int) -> None:
        self._work += characters
        if self._work > WORK_MAX:
            raise SecurityError(f"it takes more work than {WORK_MAX} characters are")

    def _light(self, value: Value, work: int = 1) -> Value:
        """The value itself; a list may hold the same long text many times."""
        weight = _weight(value)
        if weight > TEXT_MAX:
            raise SecurityError(f"a value has at most {TEXT_MAX} characters")
        self._worked(work * weight)
        return value

    def _compared(self, value: object) -> object:
        """Templates can call it, so it takes nothing else."""
        return self._light(value)

    def _bounded(self, filter: Callable[..., Any]) -> Callable[..., Any]:
        """The filter, which may make a text of whatever it is given; what it gives one by one is counted."""

        @wraps(filter)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            for arg in (*args, *kwargs.values()):
                self._light(arg, FILTER_WORK)
            result = filter(*args, **kwargs)
            return self._counted(result) if isinstance(result, Iterator) else result

        return bounded

    def _counted(self, items: Iterable[object]) -> Iterator[object]:
        for item in items:
            self._step()
            yield item

    def _range(self, *bounds: int) -> range:
        numbers = range(*bounds)
        if len(numbers) > STEPS_MAX:
            raise SecurityError(f"a range has at most {STEPS_MAX} numbers")
        return numbers

    def _concatenated(self, parts: Iterable[object]) -> str:
        return _limited([str(self._light(part)) for part in parts])

    def _written(self, value: object) -> object:
        """Every value on its way out, also out of a macro or into a `set` block."""
        self._characters += len(value if isinstance(value, str) else str(self._light(value)))
        if self._characters > TEXT_MAX:
            raise SecurityError(f"it makes more than {TEXT_MAX} characters")
        return value


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", node), name, [], [], None, None, lineno=node.lineno)


def _weight(value: object) -> int:
    """About as many as its text has characters; what goes beyond TEXT_MAX is not counted."""
    if isinstance(value, str | range):
        return len(value)
    parts: Iterable[object] = ()
    if isinstance(value, dict):
        parts = chain.from_iterable(value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        parts = value
    weight = 1
    for part in parts:
        weight += _weight(part)
        if weight > TEXT_MAX:
            break
    return weight


def _limited(parts: list[str]) -> str:
    if sum(map(len, parts)) > TEXT_MAX:
        raise SecurityError(f"a text has at most {TEXT_MAX} characters")
    return "".join(parts)


def _join(items: Iterable[object], separator: str = "") -> str:
    texts = [str(item) for item in items]
    return _limited([*chain.from_iterable((separator, text) for text in texts)][1:])


def _replace(text: str, old: str, new: str) -> str:
    if len(text) + text.count(old) * len(new) > TEXT_MAX:
        raise SecurityError(f"a text has at most {TEXT_MAX} characters")
    return text.replace(old, new)


def _size_of(operator: str, left: object, right: object) -> int:
    """Of what it takes and makes. Refused is what makes much of little: long texts, lists and numbers."""
    if operator == "%" and isinstance(left, str):
        raise SecurityError("% does not format texts here: put the value in with ~")
    if isinstance(left, int) and isinstance(right, int):
        return _size_of_numbers(operator, left, right)
    sized = [item for item in (left, right) if isinstance(item, Sized)]
    count = next((item for item in (left, right) if isinstance(item, int)), 0)
    size = count * _weight(sized[0]) if operator == "*" and sized else _weight(left) + _weight(right)
    if size > TEXT_MAX:
        raise SecurityError(f"{operator} makes more than {TEXT_MAX} parts")
    return max(size, 0)


def _size_of_numbers(operator: str, left: int, right: int) -> int:
    bits = left.bit_length(), right.bit_length()
    size = bits[0] * abs(right) if operator == "**" else sum(bits)
    if size > BITS_MAX:
        raise SecurityError(f"{operator} makes more than {BITS_MAX} bits")
    return 1
