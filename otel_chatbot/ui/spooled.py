"""Reads what waits in an app's spool to be sent elsewhere: spans, and log records if the app writes no log files.

Fed by `ui.sources`, which names the folders; feeds `ui.store`. The spool is only read: the app's own sender removes its files.
A span that also arrives by OTLP or in a trace file is stored once. The names of the files that were read are written in the
transaction that writes their rows.
"""

from __future__ import annotations

import os
from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ..distro.delivery.spool import CorruptError, Payload, UnknownFormatError
from ..semconv.attributes import Signal
from .files import Place
from .ingest import RefusedError, parse, unpacked
from .otlp import add_logs, add_traces
from .rows import Batch
from .store import BusyError, Store

_MOST: Final = 200
"""The most files that are read in one round."""
_KEPT: Final = 10_000
"""The most file names that are remembered; a spool holds fewer files."""


class Spooled:
    """Reads the new files in the spools of some places, round by round."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.reading() as db:
            self._read: dict[str, None] = dict.fromkeys(name for (name,) in db.execute("SELECT file FROM position"))

    def round(self, places: list[Place]) -> None:
        """Read a part of the new files."""
        for place in places:
            wanted = [Signal.TRACES] if place.log_files else [Signal.TRACES, Signal.LOGS]
            try:
                names = sorted(os.listdir(place.spool)) if place.spool else []
            except OSError:  # nothing was spooled yet
                continue
            new = [name for name in names if name not in self._read and _signal(name) in wanted]
            for name in new[:_MOST]:
                self._take(os.path.join(place.spool, name), name)

    def _take(self, path: str, name: str) -> None:
        batch = Batch()
        try:
            with open(path, "rb") as file:
                payload = Payload.from_bytes(file.read())
            body = unpacked(payload.body, payload.encoding)
            if payload.signal is Signal.TRACES:
                add_traces(parse(ExportTraceServiceRequest, body, json=False), batch)
            else:
                add_logs(parse(ExportLogsServiceRequest, body, json=False), batch)
        except OSError:  # it was sent just now, or may not be read
            return
        except (CorruptError, UnknownFormatError, RefusedError):
            batch = Batch()  # the app's sender sets it aside
        batch.positions[name] = 1
        try:
            self._store.write(batch)
        except BusyError:
            return
        self._read[name] = None
        while len(self._read) > _KEPT:
            del self._read[next(iter(self._read))]


def _signal(name: str) -> Signal | None:
    """The signal that a file of a spool is named after; None for another file."""
    parts = name.split(".")
    if len(parts) != 3 or parts[2] != "otlp" or parts[1] not in set(Signal):
        return None
    return Signal(parts[1])
