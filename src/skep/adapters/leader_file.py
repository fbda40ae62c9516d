"""Who leads, as a file says that the operator writes (infrakit-compat.md 3.9, mode `os`)."""

import asyncio
from pathlib import Path

from skep.model.errors import UnavailableError
from skep.model.group_document import LeaderStatus


class FileLeadership:
    """Implements ports.Leadership: whoever's name is in the file leads, blanks and newlines around it aside."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name

    async def status(self) -> LeaderStatus:
        try:
            leader = (await asyncio.to_thread(self._path.read_text, encoding="utf-8", errors="replace")).strip()
        except OSError as error:
            raise UnavailableError(
                f"could not read who leads from {self._path}: {error.strerror}; write the leading manager's name, "
                f"such as {self._name}, into it"
            ) from error
        return LeaderStatus(leads=bool(leader) and leader == self._name, leader=leader)
