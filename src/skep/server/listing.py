"""Lists of views as JSON: the text of a view is made once and kept as long as the view is the same object."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import compress

from skep.model.spec import Kind
from skep.model.view import KeyView, Listed
from skep.server.bodies import answer

MADE_AT_ONCE = 50
"""Texts that are made before others have their turn: a few milliseconds of work."""

_AGE = b',"observedAgeSeconds":'


class Texts:
    """`make` gives the text of a view. Those that were not asked for the last time are forgotten."""

    def __init__(self, make: Callable[[KeyView], bytes]) -> None:
        self._make = make
        self._known: dict[int, tuple[KeyView, bytes]] = {}

    async def of(self, views: Iterable[KeyView]) -> list[bytes]:
        """A text for each, in their order."""
        before, now, made = self._known, {}, 0
        for view in views:
            known = before.get(id(view))
            if known is None:
                known = (view, self._make(view))
                made += 1
                if made % MADE_AT_ONCE == 0:
                    await asyncio.sleep(0)
            now[id(view)] = known
        self._known = now
        return [text for _, text in now.values()]


class Listing:
    """The lists of groups or workloads, for the routes that show all of them."""

    def __init__(self) -> None:
        self._workloads = Texts(_open_text)

    async def parts(self, kind: Kind, listed: Listed) -> list[bytes]:
        """A JSON array in pieces, which are to be joined once with all that is around: ten thousand workloads are three
        megabytes. The list of workloads that came last is remembered; groups are few, and never as they were."""
        kept = kind is Kind.WORKLOAD
        texts = await self._workloads.of(listed.views) if kept else list(map(_open_text, listed.views))
        parts = [b"["] * (2 * len(texts) + 1)
        parts[1::2] = texts
        parts[2::2] = [b"%.3f}," % age_s for age_s in listed.ages_s]
        parts[-1] = parts[-1].removesuffix(b",") + b"]"
        return parts


def only(kind: Kind, listed: Listed) -> Listed:
    """What is of this kind."""
    chosen = [view.kind == kind for view in listed.views]
    return Listed(list(compress(listed.views, chosen)), list(compress(listed.ages_s, chosen)))


def _open_text(view: KeyView) -> bytes:
    """An object without its end, to which only the age of the observation is to be added."""
    shown = answer(KeyView).model_validate(view).model_dump_json(by_alias=True, exclude={"observed_age_s"})
    return shown.encode().removesuffix(b"}") + _AGE


def reference_text(view: KeyView) -> bytes:
    """A workload as the reference document shows it, indented as there: people read it (semantics.md W53). By hand,
    since `json.dumps` takes several times as long to indent."""
    name, image = [json.dumps(text, ensure_ascii=False) for text in (view.name, view.image)]
    counts = f'"DesiredCount": {view.desired},\n    "CurrentCount": {view.current}'
    return f'  {{\n    "Name": {name},\n    "Image": {image},\n    {counts}\n  }}'.encode()


def reference_body(texts: Sequence[bytes]) -> bytes:
    """The texts as the array that `json.dumps` with an indent of two would make."""
    return b"[\n%b\n]\n" % b",\n".join(texts) if texts else b"[]\n"
