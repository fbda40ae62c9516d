"""Lists of views as JSON: the text of a view is made once and kept as long as the view is the same object."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence

from skep.model.spec import Kind
from skep.model.view import KeyView
from skep.server.bodies import answer
from skep.server.front import Listed

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
    """The body of a list of groups or workloads, for the routes that show all of them."""

    def __init__(self) -> None:
        self._workloads = Texts(_open_text)

    async def body(self, listed: Sequence[Listed]) -> bytes:
        """A JSON array. The list of workloads that came last is remembered; groups are few, and never as they were."""
        views = [view for view, _ in listed]
        kept = any(view.kind == Kind.WORKLOAD for view in views)
        texts = await self._workloads.of(views) if kept else list(map(_open_text, views))
        return b"[%b]" % b",".join([b"%b%.3f}" % (text, age_s) for text, (_, age_s) in zip(texts, listed, strict=True)])


def _open_text(view: KeyView) -> bytes:
    """An object without its end, to which only the age of the observation is to be added."""
    shown = answer(KeyView).model_validate(view).model_dump_json(by_alias=True, exclude={"observed_age_s"})
    return shown.encode().removesuffix(b"}") + _AGE


def reference_text(view: KeyView) -> bytes:
    """A workload as the reference document shows it, indented as there: people read it (semantics.md W53)."""
    shown = {
        "Name": view.name,
        "Image": view.image,
        "DesiredCount": view.desired,
        "CurrentCount": view.current,
    }
    lines = json.dumps(shown, indent=2, ensure_ascii=False).splitlines()
    return "\n".join("  " + line for line in lines).encode()


def reference_body(texts: Sequence[bytes]) -> bytes:
    """The texts as the array that `json.dumps` with an indent of two would make."""
    return b"[\n%b\n]\n" % b",\n".join(texts) if texts else b"[]\n"
