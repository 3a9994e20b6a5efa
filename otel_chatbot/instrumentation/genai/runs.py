"""Runs of assistants: the first answer says only that a run has begun; the call ends when somebody asks and hears of its end.

Fed by `genai.wire_call` (the request that starts a run) and the transports (the answers to the polls); feeds `genai.call`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from ..._clock import monotonic
from ..._guard import never_raise
from . import decoding
from .call import Call
from .protocols.openai_assistants import POLL, run

_MOST: Final = 1024
_EXPIRE: Final = 600.0
"""Seconds after which a run has expired at the provider; nobody will hear of its end then."""
WAITING: Final[dict[str, tuple[float, Call]]] = {}
"""Runs whose end nobody has heard of yet, and since when."""


def pending(run_id: str, call: Call) -> None:
    """A run has been started; its call ends with it."""
    now = monotonic()
    for known, (since, _) in list(WAITING.items()):  # the oldest come first
        if since > now - _EXPIRE and len(WAITING) < _MOST:
            break
        _end(known)
    WAITING[run_id] = now, call


def _end(run_id: str) -> None:
    waited = WAITING.pop(run_id, None)
    if waited is not None:
        waited[1].end()


def asks(path: str) -> bool:
    """Whether a GET of this path asks how a run is that we wait for."""
    return bool(WAITING) and "/runs/" in path and POLL.search(path.partition("?")[0]) is not None


@never_raise
def heard(body: bytes) -> None:
    """An answer to such a question."""
    found: Any = orjson.loads(body)
    run_id = found.get("id") if isinstance(found, dict) else None
    waiting = WAITING.get(run_id) if isinstance(run_id, str) else None
    if run_id is None or waiting is None or waiting[1].answer is None:
        return
    answer = waiting[1].answer
    assert answer is not None
    run(found, answer)
    if answer.done:
        _end(run_id)


class Poll:
    """The answer to such a question, which a transport reads along as it does with a `WireCall`."""

    __slots__ = ("_decoder", "_parts", "over")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._decoder: decoding.Decoder | None = None
        self.over = False

    @never_raise
    def responded(self, status: int, headers: Callable[[str], str | None], *, decoded: bool) -> bool:
        """See `WireCall`."""
        if not decoded:
            try:
                self._decoder = decoding.decoder(headers("content-encoding") or "")
            except decoding.UnreadableError:
                return False
        return status == 200

    @never_raise
    def feed(self, data: bytes, *, decoded: bool = False) -> None:
        """See `WireCall`."""
        if not self.over:
            self._parts.append(data if decoded or self._decoder is None else self._decoder.decode(data))

    def answered(self, status: int, headers: Callable[[str], str | None], body: bytes) -> None:
        """See `WireCall`."""
        if self.responded(status, headers, decoded=True):
            self.whole(body)

    def whole(self, body: bytes) -> None:
        """See `WireCall`."""
        self._parts = [body]
        self.finish()

    def finish(self) -> None:
        """See `WireCall`."""
        if not self.over:
            self.over = True
            heard(b"".join(self._parts))

    def abandon(self) -> None:
        """See `WireCall`: the next question will tell."""
        self.over = True

    closed = abandon

    def fail(self, _error: BaseException) -> None:
        """See `WireCall`."""
        self.over = True
