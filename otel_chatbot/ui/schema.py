"""The tables of the viewer's file, and the indexes that keep every list and search from reading a whole table.

Feeds `ui.store`. A later row has a higher number, so "older" and "newer" are comparisons of numbers.
Triggers update the conversations, the problems and the text index when a row is really inserted: a span that arrives twice
counts once.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 2
"""The version of the tables. A file of another version is set aside."""

SPAN_COLUMNS: Final = (
    "trace", "span", "parent", "start", "end", "name", "kind", "status", "entry", "route", "code", "conversation",
    "user", "error", "model", "tokens_in", "tokens_out", "cost", "resource", "scope", "more",
)  # fmt: skip
LOG_COLUMNS: Final = (
    "at", "level", "severity", "logger", "body", "trace", "span", "conversation", "error", "place", "resource", "more",
)  # fmt: skip
SERIES_COLUMNS: Final = ("id", "name", "kind", "unit", "description", "attributes", "resource", "start", "edges")
SAMPLE_COLUMNS: Final = ("series", "at", "value", "count", "buckets", "exemplars")


def _words(table: str, *columns: str) -> str:
    """The index of the words in a table's columns, the list of its words, and what keeps it in step with the rows."""
    names, new, old = (", ".join(before + column for column in columns) for before in ("", "new.", "old."))
    return f"""
CREATE VIRTUAL TABLE IF NOT EXISTS {table}_text USING fts5 ({names}, content='{table}', content_rowid='id', detail=none);
CREATE VIRTUAL TABLE IF NOT EXISTS {table}_text_words USING fts5vocab ({table}_text, instance);
CREATE TRIGGER IF NOT EXISTS {table}_comes AFTER INSERT ON {table} BEGIN
    INSERT INTO {table}_text (rowid, {names}) VALUES (new.id, {new});
END;
CREATE TRIGGER IF NOT EXISTS {table}_goes AFTER DELETE ON {table} BEGIN
    INSERT INTO {table}_text ({table}_text, rowid, {names}) VALUES ('delete', old.id, {old});
END;"""


TABLES: Final = f"""
CREATE TABLE IF NOT EXISTS resource (id INTEGER PRIMARY KEY, service TEXT, instance TEXT, attributes TEXT);

CREATE TABLE IF NOT EXISTS span (
    id INTEGER PRIMARY KEY, trace BLOB NOT NULL, span BLOB NOT NULL, parent BLOB, start INTEGER, end INTEGER, name TEXT,
    kind INTEGER, status INTEGER, entry INTEGER, route TEXT, code INTEGER, conversation TEXT, user TEXT, error TEXT, model TEXT,
    tokens_in INTEGER, tokens_out INTEGER, cost REAL, resource INTEGER, scope TEXT, more TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS span_once ON span (trace, span);
CREATE INDEX IF NOT EXISTS span_entry ON span (start, end, route, code, status) WHERE entry = 1;
CREATE INDEX IF NOT EXISTS span_failed ON span (start) WHERE entry = 1 AND status = 2;
CREATE INDEX IF NOT EXISTS span_route ON span (route, start) WHERE entry = 1;
CREATE INDEX IF NOT EXISTS span_conversation ON span (conversation, start) WHERE conversation IS NOT NULL;

CREATE TABLE IF NOT EXISTS log (
    id INTEGER PRIMARY KEY, at INTEGER, level INTEGER, severity TEXT, logger TEXT, body TEXT, trace BLOB, span BLOB,
    conversation TEXT, error TEXT, place TEXT, resource INTEGER, more TEXT);
CREATE INDEX IF NOT EXISTS log_trace ON log (trace) WHERE trace IS NOT NULL;
CREATE INDEX IF NOT EXISTS log_warning ON log (id) WHERE level >= 13;
CREATE INDEX IF NOT EXISTS log_error ON log (id) WHERE level >= 17;

CREATE TABLE IF NOT EXISTS conversation (id TEXT PRIMARY KEY, first INTEGER, last INTEGER, user TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS conversation_last ON conversation (last);
CREATE INDEX IF NOT EXISTS conversation_user ON conversation (user, last) WHERE user IS NOT NULL;

CREATE TABLE IF NOT EXISTS problem (
    kind TEXT, place TEXT, signal TEXT, count INTEGER, first INTEGER, last INTEGER, trace BLOB, resource INTEGER,
    PRIMARY KEY (kind, place, signal)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS problem_last ON problem (last);

CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, name TEXT, kind TEXT, unit TEXT, description TEXT, attributes TEXT, resource INTEGER,
    start INTEGER, edges TEXT);
CREATE INDEX IF NOT EXISTS series_name ON series (name);
CREATE TABLE IF NOT EXISTS sample (
    series INTEGER, at INTEGER, value REAL, count INTEGER, buckets TEXT, exemplars TEXT, PRIMARY KEY (series, at))
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sample_at ON sample (at);

CREATE TABLE IF NOT EXISTS position (file TEXT PRIMARY KEY, offset INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tick (at INTEGER PRIMARY KEY, span INTEGER, log INTEGER);

{_words("span", "name", "more")}
{_words("log", "body", "more")}

CREATE TRIGGER IF NOT EXISTS span_talks AFTER INSERT ON span WHEN new.conversation IS NOT NULL BEGIN
    INSERT INTO conversation VALUES (new.conversation, new.start, new.end, new.user)
    ON CONFLICT (id) DO UPDATE SET first = min(first, new.start), last = max(last, new.end), user = coalesce(user, new.user);
END;
CREATE TRIGGER IF NOT EXISTS span_fails AFTER INSERT ON span WHEN new.error IS NOT NULL BEGIN
    INSERT INTO problem VALUES (new.error, new.name, 'span', 1, new.start, new.start, new.trace, new.resource)
    ON CONFLICT (kind, place, signal) DO UPDATE SET count = count + 1, first = min(first, new.start),
        trace = iif(new.start >= last, new.trace, trace), last = max(last, new.start);
END;
CREATE TRIGGER IF NOT EXISTS log_fails AFTER INSERT ON log WHEN new.error IS NOT NULL BEGIN
    INSERT INTO problem VALUES (new.error, new.place, 'log', 1, new.at, new.at, new.trace, new.resource)
    ON CONFLICT (kind, place, signal) DO UPDATE SET count = count + 1, first = min(first, new.at),
        trace = iif(new.at >= last, new.trace, trace), last = max(last, new.at);
END;
"""
