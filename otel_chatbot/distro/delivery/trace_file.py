"""Traces on disk: OTLP-JSON lines in a file of limited size, the default where no OTLP endpoint is set.

Fed by the batch processor of `distro.providers.global_providers` (spans already redacted); feeds people and `otel-chatbot`.
The file appears with the first span. Processes that live at the same time never share one: the first takes the path
itself, the next a numbered one beside it, and a process that starts later takes over what an ended one left.
"""

from __future__ import annotations

import io
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, BinaryIO, cast

from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ...metrics.record import dropped
from ...semconv.attributes import DropReason, Signal

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing forks there, and one process writes the file
    fcntl = None  # type: ignore[assignment]

_FORKS = fcntl is not None
_MOST_FILES = 1000
_logger = logging.getLogger("otel_chatbot")


class TraceFileExporter(SpanExporter):
    """Appends spans to a file and rotates it once, to `<path>.1`, when it reaches `max_bytes`."""

    def __init__(self, path: str, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._pid = 0
        self._stream: RotatingStream | None = None
        self._exporter: FileSpanExporter | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Append one line that holds all of these spans."""
        result = self._mine().export(spans)
        assert self._stream is not None
        if self._stream.failed:
            dropped(Signal.TRACES, DropReason.WRITE_FAILED, len(spans))
            return SpanExportResult.FAILURE
        return result

    def _mine(self) -> FileSpanExporter:
        # Upstream's exporter keeps its lock over a fork, and the parent's file stays the parent's: both are made anew.
        if self._pid != os.getpid():
            self._lock = threading.Lock()
        with self._lock:
            if self._pid != os.getpid() or self._exporter is None:
                if self._stream is not None:
                    self._stream.close()
                self._stream = RotatingStream(Path(self._path), self._max_bytes)
                self._exporter = FileSpanExporter(stream=cast("IO[str]", self._stream))
                self._pid = os.getpid()
            return self._exporter

    def shutdown(self) -> None:
        """Close this process's file."""
        if self._exporter is not None and self._pid == os.getpid():
            self._exporter.shutdown()
            assert self._stream is not None
            self._stream.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing is buffered."""
        return True


class RotatingStream(io.TextIOBase):
    """A text stream that takes whole lines, writes each at once and never raises; `failed`: whether the last write failed."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._wanted = path
        self._max_bytes = max_bytes
        self._file: BinaryIO | None = None
        self._path = path
        self._warned = False
        self.failed = False

    def write(self, text: str) -> int:
        """Append a line. A line that is longer than the limit gets a file of its own."""
        line = text.encode()
        try:
            self._write(line)
            self.failed = False
        except OSError as error:
            self.failed = True
            self._warn(error)
        return len(text)

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Close the file; another process may take it over."""
        if self._file is not None:
            self._file.close()
            self._file = None
        super().close()

    def _write(self, line: bytes) -> None:
        if self._file is None:
            self._open()
        assert self._file is not None
        size = os.fstat(self._file.fileno()).st_size
        if size and size + len(line) > self._max_bytes:
            os.replace(self._path, f"{self._path}.1")
            self._file.close()
            self._open()
        assert self._file is not None
        self._file.write(line)

    def _open(self) -> None:
        self._wanted.parent.mkdir(parents=True, exist_ok=True)
        for number in range(_MOST_FILES):
            path = self._wanted if number == 0 else self._wanted.with_suffix(f".{number}{self._wanted.suffix}")
            file = path.open("ab", buffering=0)
            if _mine_alone(file) and path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                self._file, self._path = file, path
                return
            file.close()
        raise OSError(f"{_MOST_FILES} processes write trace files at {self._wanted}")

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            _logger.warning(
                "traces cannot be written to %s (%s); they are dropped and counted", self._wanted, error.strerror or error
            )


def _mine_alone(file: IO[bytes]) -> bool:
    """Lock the file for this process; the kernel frees it when the process ends. False if another process has it."""
    if not _FORKS:
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
