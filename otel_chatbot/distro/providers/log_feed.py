"""Log records to OpenTelemetry: the events that the sink sees, with the fields of the log file.

Fed by the sink of `logs`; feeds the logger provider. We add no handler to any logger, so the application's own `basicConfig`,
`dictConfig` and Flask's default handler behave as without us. If all processors of the provider are ours, a record goes to
them without the SDK's copies.
"""

from __future__ import annotations

import logging
from time import time_ns
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry._logs import LogRecord
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context
from opentelemetry.instrumentation.log_utils import std_to_otel
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.semconv._incubating.attributes.event_attributes import EVENT_NAME
from opentelemetry.semconv._incubating.attributes.otel_attributes import OTEL_EVENT_NAME

from ... import config
from ..._guard import never_raise
from ...logs import sink
from ...logs.records import export_copy
from ...logs.redaction import Redactor
from ...semconv import attributes as a
from ...semconv import logs as names
from .. import sdk_shortcuts
from .lazy_processors import LazyLogProcessor
from .light_spans import PLAIN

_SEVERITIES: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}
"""The log data model's names for levels that Python's logging names otherwise."""
_EMPTY: Final = Context()
_MOST_LOGGERS: Final = 256
"""So many of OpenTelemetry's loggers are remembered by name: asking the provider takes a lock and a weak set."""


class LogFeed(LoggingHandler):
    """Translates and emits a record. It is added to no logger; at the end of a process `distro.process.shutdown` flushes."""

    def flush(self) -> None:
        """Do nothing. `logging` calls this at exit; upstream's method would start a thread, and Python 3.12 refuses that."""


def feed_logs(provider: LoggerProvider) -> None:
    """Emit, through a logger provider, every event that reaches the sink."""
    handler = LogFeed(logger_provider=provider)
    redactor = Redactor.from_settings(config.current())
    loggers: dict[str, Any] = {}

    @never_raise
    def take(entry: sink.Entry) -> None:
        # An exporter's own log records, written while it exports, would be exported again, without end.
        if otel_context.get_value(_SUPPRESS_INSTRUMENTATION_KEY) is not None:
            return
        if entry.fields is None:
            if entry.record is not None:
                handler.emit(export_copy(entry.record, redactor))
        elif not handler._is_emitting.get():  # while it emits, the SDK may log about a value: no event of the application
            token = handler._is_emitting.set(True)
            try:
                logger = loggers.get(entry.logger)
                if logger is None:
                    logger = provider.get_logger(entry.logger)
                    if len(loggers) < _MOST_LOGGERS:
                        loggers[entry.logger] = logger
                _emit(logger, translated(entry, entry.fields))
            finally:
                handler._is_emitting.reset(token)

    sink.add_taker(take)


def translated(entry: sink.Entry, fields: dict[str, Any]) -> LogRecord:
    """An event as OpenTelemetry's record: the message becomes the body, the application's extra fields the attributes."""
    extras = entry.extras
    attributes = {key: value for key, value in fields.items() if key not in names.FIELDS} if extras is None else extras.copy()
    raised = fields.get(names.EXCEPTION)
    if raised is not None:
        attributes[a.EXCEPTION_STACKTRACE] = raised["stack"]
        if "type" in raised:
            attributes[a.EXCEPTION_TYPE] = raised["type"]
            attributes[a.EXCEPTION_MESSAGE] = raised["message"]
    old_name = attributes.pop(EVENT_NAME, None)
    level = fields[names.LEVEL]
    record = LogRecord(
        timestamp=int(entry.created * 1e9),
        observed_timestamp=time_ns(),
        severity_text=_SEVERITIES.get(level, level),
        severity_number=std_to_otel(entry.level),
        body=fields[names.MESSAGE],
        attributes=attributes,
        event_name=attributes.pop(OTEL_EVENT_NAME, None) or old_name,
    )
    if entry.span is not None:
        record.trace_id, record.span_id, record.trace_flags = entry.span.trace_id, entry.span.span_id, entry.span.trace_flags
    return record


def _emit(logger: Any, record: LogRecord) -> None:
    ours = sdk_shortcuts.plain_log_processors(logger, LazyLogProcessor)
    attributes = record.attributes or {}
    few = len(attributes) <= sdk_shortcuts.FEW_ATTRIBUTES and PLAIN.issuperset(map(type, attributes.values()))
    if ours is None or not few or any(each.batch.at_once for each in ours):
        logger.emit(record)
        return
    record.context = _EMPTY  # it may hold much, and the record waits
    readable = ReadableLogRecord(record, logger.resource, logger._instrumentation_scope, logger._log_record_limits)
    for each in ours:
        each.put(readable)


def somebody_else_feeds() -> bool:
    """Whether a handler on the root logger sends records to OpenTelemetry already."""
    return any(
        "opentelemetry" in kind.__module__ or "logfire" in kind.__module__ for kind in map(type, logging.getLogger().handlers)
    )
