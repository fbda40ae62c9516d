"""What skep does by itself when a roll has failed: it goes back, or lets it stand still (semantics.md W46, W47)."""

from dataclasses import replace

import structlog

from skep.control import ledger as ledgers
from skep.control.catalog import Author, Catalog
from skep.control.documents import SpecDocument
from skep.control.fixing import is_another
from skep.control.journal import Journal
from skep.control.pauses import as_settled, begin, settled_spec
from skep.control.records import Records
from skep.control.rollback import is_automatic
from skep.model.errors import ConflictError
from skep.model.state import Desired, Record
from skep.ports import Clock

log = structlog.get_logger()

WHO = "skep"
"""Who is told to have made such a revision or pause."""


class FailedRolls:
    """The answer to a roll that has failed.

    One write of the spec under the leader's term, with compare-and-set: a crash before it changes nothing of what is
    wanted, and after it there is another generation, or a pause, of which the roll is not asked again.
    """

    def __init__(self, catalog: Catalog, records: Records, journal: Journal, clock: Clock) -> None:
        self._catalog, self._records, self._journal, self._clock = catalog, records, journal, clock

    async def answer(self, document: SpecDocument, record: Record, desired: Desired, why: str) -> bool:
        """Whether anything was done, or done by others meanwhile: then the key is to be looked at again.

        What fails on the way back is never rolled back, but stands still (W47); so does what has nothing to go back to.
        """
        if record.settled == document.generation:
            return False
        spec, failed = settled_spec(document, record), f"generation {document.generation} failed: {why}"
        is_new = spec is not None and (spec != document.spec or is_another(record))
        if desired.in_place and spec is not None and not is_new and not is_automatic(document):
            return False
        try:
            if desired.limits.failure_action == "rollback" and spec is not None and is_new:
                await self._go_back(document, spec, failed)
            else:
                await self._stand_still(document, record, desired, failed)
        except ConflictError:
            log.info("roll failed, and its spec was changed meanwhile", key=str(document.key), why=failed)
        return True

    async def _go_back(self, document: SpecDocument, spec: bytes, why: str) -> None:
        after = await self._catalog.undo(document, spec, Author(WHO, self._clock.wall_s(), why), self._records.term)
        self._say(after, "RolledBack", why)

    async def _stand_still(self, document: SpecDocument, record: Record, desired: Desired, why: str) -> None:
        pause = begin(document, record, WHO, self._clock.wall_s(), why, automatic=True)
        if desired.numbered and (
            as_settled(replace(document, paused=pause)).spec != document.spec or is_another(record)
        ):
            # What ended was of the template that failed; the one that is followed then has its first try at once. This
            # comes first, for nobody would do it after the pause; a crash in between lets the roll fail once more.
            forgiven = ledgers.forgive(record.ledger)
            await self._records.write(replace(record, ledger=replace(forgiven, streak=record.ledger.streak)))
        await self._catalog.set_paused(document, pause, self._records.term)
        self._say(document, "Paused", why)

    def _say(self, document: SpecDocument, reason: str, why: str) -> None:
        self._journal.say(document.key, reason, f"generation {document.generation} by {WHO}: {why}")
        log.info("roll failed", key=str(document.key), answer=reason, generation=document.generation, why=why)
