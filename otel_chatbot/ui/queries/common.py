"""Shared by the questions: the search for words, and spans and log records as the pages read them.

Fed by `ui.store`; feeds the other modules of this folder.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ...semconv import attributes as a
from ...semconv.logs import EXCEPTION

Json = dict[str, Any]
SPAN_TEXT, LOG_TEXT = "span_text", "log_text"
"""The indexes of words."""
PAGE: Final = 100
"""Rows on a page of a list."""
LOOKED_AT: Final = 5_000
"""The most rows of an index that one question looks at; the next question goes on with older ones."""
NEWEST: Final = 2**63 - 1
"""No time and no row is newer: the largest whole number of the file."""
SPAN: Final = (
    "id, hex(trace), hex(span), hex(parent), start, end, name, kind, status, entry, route, code, conversation, error, model,"
    " tokens_in, tokens_out, cost, resource, scope, more"
)
LOG: Final = "id, at, level, severity, logger, body, hex(trace), hex(span), conversation, resource, more"
_ENDINGS: Final = 40
"""The most words that an unfinished word may stand for."""
_WORD: Final = re.compile(r"[^\W_]+")
_KINDS: Final = ("", "internal", "server", "client", "producer", "consumer")


@dataclass(frozen=True)
class Match:
    """A search in the language of the index; `cut`: not all words that begin like the last one are looked for."""

    query: str
    cut: bool = False


def match(db: sqlite3.Connection, text: str, index: str) -> Match | None:
    """A search for all words of a text, the last one perhaps unfinished; None if there is no word.

    An unfinished word stands for the first `_ENDINGS` words of the index that begin so. With a search by prefix, SQLite would
    collect the rows of all such words before it returned the first one.
    """
    words = _WORD.findall(text)[:16]
    if not words:
        return None
    endings = [] if text[-1].isspace() else _beginning(db, words[-1], index)
    *finished, last = (f'"{word}"' for word in words)
    query = " AND ".join([*finished, f"({' OR '.join(endings)})" if endings else last])
    return Match(query, len(endings) == _ENDINGS)


def hits(db: sqlite3.Connection, index: str, query: str, before: int, most: int = LOOKED_AT) -> Iterator[int]:
    """The numbers of the rows with the words, newest first, one by one, so that the caller can stop when it has enough."""
    order = f"SELECT rowid FROM {index} WHERE {index} MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
    return (row[0] for row in db.execute(order, (query, before, most)))


def _beginning(db: sqlite3.Connection, word: str, index: str) -> list[str]:
    """The words of an index that begin so; each costs one step in the index."""
    plain = "".join(each for each in unicodedata.normalize("NFD", word) if not unicodedata.combining(each)).lower()
    found: list[str] = []
    at = plain
    while len(found) < _ENDINGS:
        row = db.execute(f"SELECT term FROM {index}_words WHERE term >= ? ORDER BY term LIMIT 1", (at,)).fetchone()
        if row is None or not row[0].startswith(plain):
            break
        found.append(f'"{row[0]}"')
        at = row[0] + "\x01"
    return found


def milliseconds(nanoseconds: int | None) -> float | None:
    """A time or a duration in milliseconds, the unit of browsers."""
    return None if nanoseconds is None else nanoseconds / 1e6


def system(found: Mapping[str, Any], kind: int) -> str:
    """The kind of a span, for its colour: a database's name, `model`, `server` or `other`."""
    if a.GEN_AI_OPERATION in found:
        return "model"
    return str(found.get(a.DB_SYSTEM) or ("server" if kind in (2, 5) else "other"))


def span(row: tuple[Any, ...]) -> Json:
    """A row of `SPAN` as the page reads it."""
    more = orjson.loads(row[20])
    found = more.get("a", {})
    return {
        "id": row[0],
        "trace": row[1].lower(),
        "span": row[2].lower(),
        "parent": (row[3] or "").lower(),
        "start": milliseconds(row[4]),
        "ms": milliseconds(row[5] - row[4]),
        "name": row[6],
        "kind": _KINDS[row[7]] if 0 <= row[7] < len(_KINDS) else "",
        "failed": row[8] == 2,
        "entry": bool(row[9]),
        "route": row[10],
        "code": row[11],
        "conversation": row[12],
        "error": row[13],
        "model": row[14],
        "tokens_in": row[15],
        "tokens_out": row[16],
        "cost": row[17],
        "resource": str(row[18]),
        "scope": row[19],
        "system": system(found, row[7]),
        "attributes": found,
        "events": [{"name": name, "at": at, "attributes": told} for name, at, told in more.get("e", [])],
        "links": [{"trace": trace, "span": linked} for trace, linked in more.get("l", [])],
        "message": more.get("m", ""),
    }


def log(row: tuple[Any, ...]) -> Json:
    """A row of `LOG` as the page reads it."""
    more = orjson.loads(row[10])
    found = more.get("a", {})
    exception = more.get("x") or {
        "type": found.get(a.EXCEPTION_TYPE),
        "message": found.get(a.EXCEPTION_MESSAGE),
        "stack": found.get(a.EXCEPTION_STACKTRACE),
    }
    return {
        "id": row[0],
        "at": milliseconds(row[1]),
        "level": row[2],
        "severity": row[3],
        "logger": row[4],
        "body": row[5],
        "trace": (row[6] or "").lower(),
        "span": (row[7] or "").lower(),
        "conversation": row[8],
        "resource": str(row[9]),
        "attributes": found,
        EXCEPTION: exception if isinstance(exception, dict) and exception.get("type") else None,
    }


def resources(db: sqlite3.Connection, numbers: set[str]) -> Json:
    """The attributes of resources, by number. The numbers are texts, since a browser's numbers are not exact enough."""
    marks = ", ".join("?" * len(numbers))
    rows = db.execute(f"SELECT id, service, attributes FROM resource WHERE id IN ({marks})", [int(one) for one in numbers])
    return {str(number): {"service": service, "attributes": orjson.loads(text)} for number, service, text in rows}
