"""An operation of the application: one span with its name, one record when it starts and one when it ends.

Fed by the application (`with LogOperation("load history"):`); feeds a logger and the OpenTelemetry API.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from opentelemetry import trace

from .._clock import perf_counter
from .._guard import never_raise
from .._wiring import ensure_configured
from ..semconv import attributes as a
from ..semconv import logs as names
from ..semconv.logs import Status
from .errors import safe_exception_message, safe_stack
from .records import rename_refused
from .setup import get_logger


class LogOperation:
    """A context manager, for `with` and `async with`, around an operation; exceptions pass through it unchanged.

    Records "Starting: X", then "Completed: X" or "Failed: X", with `operation`, `status`, `duration_ms` (milliseconds),
    `error` after a failure, and the fields given.
    """

    def __init__(self, operation: str, logger: logging.Logger | None = None, **extra: Any) -> None:
        self.operation = operation
        self.extra = extra
        self._logger = logger
        self._begin = 0.0
        self._span: trace.Span = trace.INVALID_SPAN
        self._scope = ExitStack()

    def __enter__(self) -> LogOperation:  # noqa: PYI034 - Self needs Python 3.11
        self._start(4)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None) -> None:
        self._finish(error, 4)

    async def __aenter__(self) -> LogOperation:  # noqa: PYI034
        self._start(4)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self._finish(error, 4)

    @never_raise
    def _start(self, stacklevel: int) -> None:
        ensure_configured()
        self._scope = ExitStack()
        self._span = trace.get_tracer(names.PACKAGE_LOGGER).start_span(self.operation)
        self._scope.enter_context(
            trace.use_span(self._span, end_on_exit=True, record_exception=False, set_status_on_exception=False)
        )
        self._begin = perf_counter()
        self._log(logging.INFO, "Starting: %s", {"status": Status.STARTED.value}, stacklevel)

    @never_raise
    def _finish(self, error: BaseException | None, stacklevel: int) -> None:
        duration = round((perf_counter() - self._begin) * 1000, 3)
        with self._scope:
            if error is None:
                self._log(
                    logging.INFO, "Completed: %s", {"status": Status.COMPLETED.value, "duration_ms": duration}, stacklevel
                )
                return
            message = safe_exception_message(error)
            self._span.set_status(trace.StatusCode.ERROR, message)
            # Not record_exception: that would keep the text of database errors as it is, documents included.
            self._span.add_event(
                names.EXCEPTION,
                {
                    a.EXCEPTION_TYPE: _type_name(error),
                    a.EXCEPTION_MESSAGE: message,
                    a.EXCEPTION_STACKTRACE: safe_stack(error),
                },
            )
            fields = {"status": Status.FAILED.value, "error": message, "duration_ms": duration}
            self._log(logging.ERROR, "Failed: %s", fields, stacklevel, error)

    def _log(
        self, level: int, message: str, fields: dict[str, Any], stacklevel: int, error: BaseException | None = None
    ) -> None:
        logger = self._logger if self._logger is not None else get_logger()
        extra = rename_refused(self.extra, {"operation": self.operation, **fields})
        logger.log(level, message, self.operation, extra=extra, exc_info=error, stacklevel=stacklevel + 1)


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
