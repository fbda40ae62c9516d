"""The revisions of a key for people: who made them, when and why, and what each of them changed."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from skep.control.documents import SpecDocument, spec_of
from skep.control.views import shown_spec
from skep.model.spec import WorkloadSpec
from skep.model.state import Revision
from skep.model.view import RevisionView

VALUE_MAX = 80
"""Characters of a value that is told; of a longer one only its path is, as of lists: the spec itself is shown whole."""

_NOTHING = object()


def history_view(document: SpecDocument, keyed_hash: Callable[[str], str]) -> tuple[RevisionView, ...]:
    """The revisions that are kept, newest first (semantics.md W48)."""
    return tuple(
        RevisionView(
            r.generation,
            r.who,
            r.when_s,
            r.removed,
            shown_spec(r.spec, keyed_hash),
            r.why,
            _changed(b, r),
            r.automatic,
        )
        for r, b in zip_longest(document.history, document.history[1:])
    )


def _changed(before: Revision | None, revision: Revision) -> tuple[str, ...]:
    if revision.removed or before is None or before.removed:
        return ()
    return changes(before.spec, revision.spec)


def changes(before: bytes, after: bytes) -> tuple[str, ...]:
    """What a spec says other than another, as `Image web:1 -> web:2`; of Env only the names, for values are secret."""
    one, other = spec_of(before), spec_of(after)
    told = list(_differences(json.loads(before), json.loads(after), ""))
    if isinstance(one, WorkloadSpec) and isinstance(other, WorkloadSpec) and one.env != other.env:
        names = sorted({name for name, _ in set(one.env) ^ set(other.env)})
        told.append(f"Env {', '.join(names)}" if names else "Env in another order")
    return tuple(told)


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    """In the order of the newer one, then what is in the older alone. Env is left out."""
    if path == "Env" or before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*after, *before)):
            inner = f"{path}.{name}" if path else name
            yield from _differences(before.get(name, _NOTHING), after.get(name, _NOTHING), inner)
    elif _is_short(before) and _is_short(after):
        yield f"{path} {_text(before)} -> {_text(after)}"
    else:
        yield path + _how(before, after)


def _how(before: Any, after: Any) -> str:
    """What became of a list or an object: one that is gone reads otherwise than one with another entry."""
    if isinstance(before, list | Mapping) and after in (_NOTHING, []):
        return " removed"
    return " added" if isinstance(after, list | Mapping) and before in (_NOTHING, []) else ""


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= VALUE_MAX and value.isprintable()
    return value is _NOTHING or value is None or isinstance(value, bool | int | float)


def _text(value: Any) -> str:
    if value is _NOTHING or value == "":
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
