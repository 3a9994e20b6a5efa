"""The log files of a process: which file a record goes to, and what happens when it cannot be written.

Fed by the sink; feeds `logs.shared_file`. Folders and both files are made with the first record. A record is encoded only
once, also if it goes to both files.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..semconv import logs as names
from ..semconv.attributes import DropReason
from .fields import line_of
from .formatters import TextFormatter
from .redaction import policy

if TYPE_CHECKING:
    from .shared_file import SharedFile

MIB = 1024 * 1024


class LogFiles:
    """`chatbot.json.log` with every record and `chatbot.error.log` with the errors, or `chatbot.log` as plain text.

    `on_dropped(reason, lines)` is called for every line that could not be written; the console is warned once per file.
    """

    def __init__(
        self,
        folder: str,
        *,
        json_output: bool = True,
        max_bytes: int = 10 * MIB,
        backup_count: int = 5,
        on_dropped: Callable[[str, int], None] | None = None,
    ) -> None:
        self.folder = os.path.abspath(folder)  # a later chdir moves nothing
        self.json_output = json_output
        self.max_bytes = max_bytes
        self.backup_count = backup_count
        self.on_dropped = on_dropped
        self._text = TextFormatter()
        self._open: dict[str, SharedFile] = {}
        self._warned: set[str] = set()
        self._maker: int | None = None
        self._early: deque[tuple[str, bytes]] = deque()

    def write(self, record: logging.LogRecord) -> dict[str, Any] | None:
        """Write a record; errors of the disk never reach the caller. Return the fields of its line, if it has any."""
        if self.json_output:
            line, fields = line_of(record, policy())
            self.write_line(line, record.levelno)
            return fields
        self._put(names.TEXT_FILE, self._text.format(record).encode("utf-8", "backslashreplace") + b"\n")
        return None

    def write_line(self, line: bytes, level: int) -> None:
        """Write an event's line of JSON, given without its end."""
        line += b"\n"
        self._put(names.JSON_FILE, line)
        if level >= logging.ERROR:
            self._put(names.ERROR_FILE, line)

    def _put(self, name: str, line: bytes) -> None:
        try:
            file = self._open.get(name)
            opened = file is None
            if file is None:
                if self._maker == threading.get_ident():
                    # The import below logs, or a signal handler logs meanwhile: that line is written right after.
                    self._early.append((name, line))
                    return
                file = self._make(name)
            file.write(line)
            if opened and name == names.JSON_FILE:
                self._make_error_file()
            if self._early:
                self._write_early()
        except (OSError, RuntimeError, ValueError) as error:
            self._not_written(name, error)

    def _make_error_file(self) -> None:
        """Make the file of errors with the first record, so that a tool can follow it before the first error."""
        # If it cannot be made, the first error says so; no line is lost until then.
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            (self._open.get(names.ERROR_FILE) or self._make(names.ERROR_FILE)).create()

    def _write_early(self) -> None:
        with contextlib.suppress(IndexError):  # another thread took the last one
            while True:
                self._put(*self._early.popleft())

    def _make(self, name: str) -> SharedFile:
        with MAKING:
            self._maker = threading.get_ident()
            try:
                # Imported late: a process that logs nothing does not need the library.
                from .shared_file import SharedFile

                file = SharedFile(os.path.join(self.folder, name), self.max_bytes, self.backup_count)
                return self._open.setdefault(name, file)
            finally:
                self._maker = None

    def _not_written(self, name: str, error: Exception) -> None:
        if self.on_dropped is not None:
            self.on_dropped(DropReason.WRITE_FAILED.value, 1)
        if name in self._warned:
            return
        self._warned.add(name)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        logging.getLogger(names.PACKAGE_LOGGER).warning(
            "log records are not written to %s: %s; the application goes on, further ones are counted and not shown",
            os.path.join(self.folder, name),
            reason,
        )

    def close(self) -> None:
        """Close the files; a later record opens them again."""
        with MAKING:
            files, self._open = self._open, {}
        for file in files.values():
            file.close()

    def renewed(self) -> LogFiles:
        """The same files for a forked child, which must share neither locks nor positions with its parent."""
        for file in self._open.values():
            file.discard()
        fresh = LogFiles(
            self.folder,
            json_output=self.json_output,
            max_bytes=self.max_bytes,
            backup_count=self.backup_count,
            on_dropped=self.on_dropped,
        )
        fresh._warned = set(self._warned)
        return fresh


MAKING = threading.RLock()
"""Held while a file is made, and during a fork: a child forked in the middle of an import could never finish it."""
