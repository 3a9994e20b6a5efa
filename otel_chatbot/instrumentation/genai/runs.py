"""Runs of assistants: calls that have been answered with "wait", until somebody asks how they are and hears that they have ended.

Fed by `genai.exchange` (the request that starts a run) and the transports (the answers to the polls); feeds `genai.call`.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from ..._clock import monotonic
from ..._guard import never_raise
from .call import Call
from .protocols.openai_assistants import POLL, run

_MOST: Final = 1024
_EXPIRE: Final = 600.0
"""Seconds after which a run has expired at the provider; nobody will hear of its end then."""
_waiting: dict[str, tuple[float, Call]] = {}


def pending(run_id: str, call: Call) -> None:
    """A run has been started; its call ends with it."""
    now = monotonic()
    for known, (since, _) in list(_waiting.items()):  # the oldest come first
        if since > now - _EXPIRE and len(_waiting) < _MOST:
            break
        _end(known)
    _waiting[run_id] = now, call


def _end(run_id: str) -> None:
    waited = _waiting.pop(run_id, None)
    if waited is not None:
        waited[1].end()


def asks(path: str) -> bool:
    """Whether a GET of this path asks how a run is that we wait for."""
    return bool(_waiting) and "/runs/" in path and POLL.search(path.partition("?")[0]) is not None


@never_raise
def heard(body: bytes) -> None:
    """An answer to such a question."""
    found: Any = orjson.loads(body)
    run_id = found.get("id") if isinstance(found, dict) else None
    waiting = _waiting.get(run_id) if isinstance(run_id, str) else None
    if run_id is None or waiting is None or waiting[1].answer is None:
        return
    answer = waiting[1].answer
    assert answer is not None
    run(found, answer)
    if answer.done:
        _end(run_id)
