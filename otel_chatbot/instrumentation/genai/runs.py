"""Runs of assistants: calls that have been answered with "wait", until somebody asks how they are and hears that they have ended.

Fed by `genai.exchange` (the request that starts a run) and the transports (the answers to the polls); feeds `genai.call`.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import orjson

from ..._clock import monotonic
from ..._guard import never_raise
from . import call as genai_call
from .call import Call
from .protocols.openai_assistants import POLL, run

_MOST: Final = 1024
_EXPIRE: Final = 600.0
"""Seconds after which a run has expired at the provider; nobody will hear of its end then."""
_waiting: dict[str, tuple[float, Call]] = {}
_lock: Final = threading.Lock()


def pending(run_id: str, call: Call) -> None:
    """A run has been started; its call ends with it."""
    with _lock:
        now = monotonic()
        late = [known for known, (since, _) in _waiting.items() if since < now - _EXPIRE or len(_waiting) >= _MOST][:_MOST]
        ended = [_waiting.pop(known)[1] for known in late]
        _waiting[run_id] = now, call
    for old in ended:
        old.end()


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
    call = waiting[1]
    answer = call.answer
    assert answer is not None
    run(found, answer)
    if answer.done:
        with _lock:
            _waiting.pop(run_id, None)
        genai_call.end_abandoned()
        call.end()
