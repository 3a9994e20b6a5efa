"""What the server was really asked and what it answered: the truth that figures are compared with. No prompt, no key is in it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Record:
    """One HTTP request (or gRPC call). `outcome`: ok, refused, failed, late, closed, garbage or left.

    Token counts are those that the answer told, as far as it was sent. `waited`: seconds from the request to its first content.
    """

    number: int
    wire: str
    operation: str
    path: str
    model: str
    call: str
    attempt: int
    mode: str
    streamed: bool = False
    counts: bool = True
    status: int = 0
    outcome: str = ""
    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    chunks: int = 0
    waited: float = 0.0
    done: bool = False


@dataclass(frozen=True)
class Truth:
    """What the figures must say of some records.

    `told`: the token counts are exactly these. Else content arrived whose tokens the model did not tell, or not to the end: they
    are estimated, and this is what was told.
    """

    calls: int
    failed: int
    input: int
    output: int
    cached: int
    reasoning: int
    told: bool


@dataclass
class Ledger:
    """All records since the last `begin`, and the requests' bytes."""

    records: list[Record] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    _attempts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        with self._lock:
            self.records, self.requests, self._attempts = [], [], {}

    def attempt(self, call: str) -> int:
        """How often this call was asked, this time included."""
        with self._lock:
            self._attempts[call] = self._attempts.get(call, 0) + 1
            return self._attempts[call]

    def add(self, **what: Any) -> Record:
        with self._lock:
            record = Record(len(self.records), **what)
            self.records.append(record)
            return record

    def credit(self, call: str) -> Record:
        """The last record of a call: a run's tokens are told by a poll and belong to the request that started it."""
        return [record for record in self.records if record.call == call][-1]

    def as_data(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(record) for record in self.records]


def truth(records: Iterable[Record], *, joined: bool) -> Truth:
    """What these requests amount to. `joined`: the client tries again by itself, so all attempts are one call."""
    groups: dict[Any, list[Record]] = {}
    for record in records:
        if record.counts:
            groups.setdefault(record.call if joined else record.number, []).append(record)
    last = [group[-1] for group in groups.values()]
    answered = [record for group in groups.values() for record in group if record.outcome == "ok"]
    failed = sum(record.outcome in ("refused", "failed", "late", "closed") for record in last)
    sums = {part: sum(getattr(record, part) for record in answered) for part in ("input", "output", "cached", "reasoning")}
    arrived = [record for group in groups.values() for record in group if record.status == 200]
    told = all(record.outcome == "ok" and record.input for record in arrived)
    return Truth(len(last), failed, **sums, told=told)
