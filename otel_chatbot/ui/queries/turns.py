"""The last turns: the newest requests that belong to a conversation or call a model, each with its sums.

Fed by `ui.store` through `ui.api`; feeds `otel-chatbot top`.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from .common import Json, milliseconds

_MOST: Final = 50
_LOOKED_AT: Final = 500
"""The most requests that one question looks at."""
_MOST_SPANS: Final = 1_000
"""The most spans of one trace that are added up."""
_REQUESTS: Final = (
    "SELECT trace, start, end, name, code, status, error, service FROM span INDEXED BY span_entry"
    " LEFT JOIN resource ON resource.id = span.resource"
    f" WHERE entry = 1 ORDER BY start DESC LIMIT {_LOOKED_AT}"
)
_SUMS: Final = (
    "SELECT count(model), sum(tokens_in), sum(tokens_out), sum(cost), group_concat(DISTINCT model), max(conversation), max(error)"
    " FROM (SELECT model, tokens_in, tokens_out, cost, conversation, error FROM span WHERE trace = ?"
    f" LIMIT {_MOST_SPANS})"
)


def turns(db: sqlite3.Connection) -> Json:
    """The last turns, newest first: time, duration, outcome, models, tokens, cost."""
    found: dict[bytes, Json] = {}
    for trace, start, end, name, code, status, error, service in db.execute(_REQUESTS):
        if trace in found:
            continue
        calls, tokens_in, tokens_out, cost, models, conversation, inner = db.execute(_SUMS, (trace,)).fetchone()
        if not calls and conversation is None:
            continue
        found[trace] = {
            "trace": trace.hex(), "start": milliseconds(start), "ms": milliseconds(end - start), "name": name, "code": code,
            "failed": status == 2, "error": error or inner, "service": service or "", "conversation": conversation,
            "calls": calls, "models": models.split(",") if models else [], "tokens_in": tokens_in or 0,
            "tokens_out": tokens_out or 0, "cost": cost or 0.0,
        }  # fmt: skip
        if len(found) == _MOST:
            break
    return {"turns": list(found.values())}
