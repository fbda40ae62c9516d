"""Exchanges captured from InfraKit v0.1.0's own programs (infrakit-compat.md 2.1 and 2.4).

Where the capture leaves something out, the data file has an answer's ID from its request, and one instance of several.
"""

import json
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).parent.parent / "data" / "infrakit" / "transcripts.json"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call and what it got, without the line break that ends an answer; `answer` is empty where none was captured."""

    method: str
    request: bytes
    answer: bytes

    def __str__(self) -> str:
        return self.method

    @property
    def service(self) -> str:
        return self.method.partition(".")[0]

    @property
    def id(self) -> int:
        id: int = json.loads(self.request)["id"]
        return id


EXCHANGES = tuple(
    Exchange(one["method"], one["request"].encode(), one.get("answer", "").encode())
    for one in json.loads(_FILE.read_text())
)
