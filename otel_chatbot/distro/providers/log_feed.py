"""Log records to OpenTelemetry: what the sink sees is translated as instrumentation-logging does and emitted.

Fed by the sink of `logs`; feeds the logger provider. No handler stands on any logger, so the application's own
`basicConfig`, `dictConfig` and Flask's default handler behave as without us.
"""

from __future__ import annotations

import logging

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider

from ... import config
from ..._guard import never_raise
from ...logs import sink
from ...logs.records import export_copy
from ...logs.redaction import Redactor


class Feed(LoggingHandler):
    """Translates and emits a record. It stands on no logger, and the end of a process is `distro.process.shutdown`'s."""

    def flush(self) -> None:
        """Do nothing: `logging` calls this at exit, where upstream's would start a thread, which Python 3.12 refuses."""


def feed_logs(provider: LoggerProvider) -> None:
    """Emit every record that reaches the sink through a logger provider."""
    handler = Feed(logger_provider=provider)
    redactor = Redactor.from_settings(config.current())

    @never_raise
    def emit(record: logging.LogRecord) -> None:
        # What an exporter logs while it exports would be exported, and so on without end.
        if otel_context.get_value(_SUPPRESS_INSTRUMENTATION_KEY) is None:
            handler.emit(export_copy(record, redactor))

    sink.add_listener(emit)


def somebody_else_feeds() -> bool:
    """Whether a handler on the root logger sends records to OpenTelemetry already."""
    return any(
        "opentelemetry" in kind.__module__ or "logfire" in kind.__module__ for kind in map(type, logging.getLogger().handlers)
    )
