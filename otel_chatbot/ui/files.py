"""Follows the files that apps write on this machine: traces as OTLP-JSON lines, log records as JSON lines.

Fed by `ui.sources`, which names the places; feeds `ui.store`. Files are opened for reading only. The position in a file is
written in the same transaction as its rows, so that a kill loses nothing and doubles nothing. A file is recognised by its
inode and its first bytes, so reading goes on after a rotation has renamed it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ..semconv import attributes as a
from ..semconv import logs as l
from .ingest import RefusedError, parse
from .otlp import add_traces, text_or_none
from .rows import Batch, Row, clip, packed, plain
from .store import BusyError, Store

_CHUNK: Final = 1024 * 1024
"""Bytes that are read from a file at one time."""
_LONGEST: Final = 16 * 1024 * 1024
"""A line with more bytes is left out."""
_HEAD: Final = 256
_LEVELS: Final = {"DEBUG": 5, "INFO": 9, "WARNING": 13, "ERROR": 17, "CRITICAL": 21}
_TRACES: Final = re.compile(r".+\.jsonl(\.\d+)?")
_LOGS: Final = re.compile(re.escape(l.JSON_FILE) + r"(\.\d+)?")
_OWN: Final = l.FIELDS | {a.GEN_AI_CONVERSATION_ID}


@dataclass(frozen=True)
class Place:
    """A folder that an app writes to, and the app's name, which log lines do not contain."""

    folder: str
    service: str = ""
    trace_file: str = ""
    instance: str = ""
    spool: str = ""
    log_files: bool = True


Reading = Callable[[bytes, Place, Batch], None]
"""Adds the rows of a line to a batch."""


def files(place: Place) -> Iterator[tuple[str, Reading]]:
    """The files of a place that are followed, rotated ones first, each with the function that reads its lines."""
    stem = os.path.basename(place.trace_file or "traces.otlp.jsonl").partition(".")[0]
    found: list[tuple[float, str, Reading]] = []
    for folder in {place.folder, os.path.dirname(place.trace_file) or place.folder}:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                continue
            if folder == place.folder and _LOGS.fullmatch(entry.name):
                found.append((entry.stat().st_mtime, entry.path, log_line))
            elif entry.name.startswith(stem) and _TRACES.fullmatch(entry.name):
                found.append((entry.stat().st_mtime, entry.path, trace_line))
    return ((path, read) for _, path, read in sorted(found, key=lambda one: one[:2]))


class Follower:
    """Reads the new lines in the files of some places, round by round."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.reading() as db:
            self._offsets: dict[str, int] = dict(db.execute("SELECT file, offset FROM position"))
        self.broken = 0
        """The number of lines that could not be read."""

    def round(self, places: list[Place]) -> bool:
        """Read a part of the new lines; return whether there may be more already."""
        more = False
        for place in places:
            for path, read in files(place):
                try:
                    more |= self._read(path, place, read)
                except OSError:  # it was removed, or may not be read
                    continue
        return more

    def _read(self, path: str, place: Place, read: Reading) -> bool:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            identity = _identity(descriptor)
            if not identity:
                return False
            offset = self._offsets.get(identity, 0)
            size = os.fstat(descriptor).st_size
            if size <= offset:
                return False
            data = os.pread(descriptor, _CHUNK, offset)
            end = data.rfind(b"\n") + 1
            while not end and len(data) < min(size - offset, _LONGEST):
                data = os.pread(descriptor, min(2 * len(data), _LONGEST), offset)
                end = data.rfind(b"\n") + 1
        finally:
            os.close(descriptor)
        if not end:
            if len(data) < _LONGEST:
                return False  # the line is not complete yet
            end = len(data)
        batch = self._lines(data[:end], place, read)
        batch.positions[identity] = offset + end
        try:
            self._store.write(batch)
        except BusyError:
            return False
        self._offsets[identity] = offset + end
        return size > offset + end

    def _lines(self, data: bytes, place: Place, read: Reading) -> Batch:
        batch = Batch()
        for line in data.split(b"\n"):
            if line.strip():
                try:
                    read(line, place, batch)
                except (RefusedError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
                    self.broken += 1
        return batch


def _identity(descriptor: int) -> str:
    """The identity of a file under any name; empty while it is too short to have one."""
    head = os.pread(descriptor, _HEAD, 0)
    end = head.find(b"\n")
    if end < 0 and len(head) < _HEAD:
        return ""
    found = os.fstat(descriptor)
    return f"{found.st_dev}:{found.st_ino}:{hashlib.blake2b(head[: end if end >= 0 else None], digest_size=8).hexdigest()}"


def trace_line(line: bytes, _: Place, batch: Batch) -> None:
    """Add the spans of a line."""
    add_traces(parse(ExportTraceServiceRequest, line, json=True), batch)


def log_line(line: bytes, place: Place, batch: Batch) -> None:
    """Add the record of a line."""
    found = orjson.loads(line)
    if not isinstance(found, dict):
        raise TypeError(type(found).__name__)
    batch.logs.append(_record(found, batch.resource({a.SERVICE_NAME: place.service, a.SERVICE_INSTANCE_ID: place.instance})))


def _record(found: Mapping[str, Any], resource: int) -> Row:
    level = str(found.get(l.LEVEL, ""))
    severity = _LEVELS.get(level, 9)
    logger = clip(str(found.get(l.LOGGER_NAME, "")))
    exception = found.get(l.EXCEPTION)
    kind = exception.get("type") if isinstance(exception, dict) else None
    more: dict[str, Any] = {"a": plain({name: value for name, value in found.items() if name not in _OWN})}
    for name, key in ((l.FUNCTION, "function"), (l.LINE, "line"), (l.MODULE, "module"), (l.PROCESS_ID, "process")):
        if found.get(name) is not None:
            more[key] = plain(found[name])
    if exception is not None:
        more["x"] = plain(exception)
    return (
        _time(found.get(l.TIMESTAMP)),
        severity,
        level,
        logger,
        clip(str(found.get(l.MESSAGE, ""))),
        _bytes(found.get(l.TRACE_ID)),
        _bytes(found.get(l.SPAN_ID)),
        text_or_none(found.get(a.GEN_AI_CONVERSATION_ID)),
        str(kind or "error") if severity >= _LEVELS["ERROR"] else None,
        clip(f"{found.get(l.MODULE, '')}.{found.get(l.FUNCTION, '')}:{found.get(l.LINE, '')}"),
        resource,
        packed(more),
    )


def _time(text: Any) -> int:
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))  # Python 3.10 does not know the Z
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _bytes(text: Any) -> bytes | None:
    return bytes.fromhex(text) if isinstance(text, str) and text else None
