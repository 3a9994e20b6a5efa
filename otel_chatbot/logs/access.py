"""The access record: one log record per request, written after the last byte of its answer, inside its trace.

Fed by the Flask hook; feeds the sink, and no console, because the logger does not propagate. If only the sink would see the
record, none is made: the fields go directly to the file and to the export.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from .. import config
from .._guard import never_raise
from ..semconv import logs as names
from ..semconv.attributes import GEN_AI_CONVERSATION_ID as CONVERSATION
from ..semconv.logs import ACCESS_LOGGER, Event
from . import sink
from .fields import LEVELS
from .records import conversation_id, timestamp
from .redaction import Redactor, policy

_MODULE: Final = __name__.rpartition(".")[2]
_logger = logging.getLogger(ACCESS_LOGGER)
_logger.propagate = False
_logger.addHandler(logging.NullHandler())


def replace_request_lines(replace: bool = True) -> None:
    """Leave the servers' own request lines out of the files and the export, because access records take their place."""
    sink.SINK.replaces_request_lines = replace and config.current().access_log


@never_raise
def access_record(
    endpoint: str,
    method: str,
    status: int,
    duration_ms: float,
    size: int | None = None,
    *,
    route: str | None = None,
    aborted: bool = False,
    context: Context | None = None,
) -> None:
    """Log a request that has ended, unless ACCESS_LOG is off.

    Args: the path or route, the method, the status, milliseconds to the last byte, bytes of the body (None: not known),
    the route's rule, whether the client left before the end, the context of the request's span (None: the current one).
    """
    if not config.current().access_log or sink.SINK.level > logging.INFO or _logger.manager.disable >= logging.INFO:
        return
    fields: dict[str, object] = {
        "event": Event.API_REQUEST.value,
        "endpoint": endpoint,
        "method": method,
        "status": status,
        "duration_ms": round(duration_ms, 3),
    }
    if size is not None:
        fields["bytes"] = size
    if route:
        fields["route"] = route
    if aborted:
        fields["aborted"] = True
    if sink.SINK.is_all(_logger) and _take(fields, context):
        return
    record = _logger.makeRecord(
        ACCESS_LOGGER, logging.INFO, __file__, 0, "%s %s %s", (method, endpoint, status), None, "access_record", fields
    )
    if not _logger.filter(record):
        return
    token = otel_context.attach(context) if context is not None else None
    try:
        # Not handle(): dictConfig disables loggers that it does not know, and this one is not the application's.
        _logger.callHandlers(record)
    finally:
        if token is not None:
            otel_context.detach(token)


class _Checked:
    """The policy that was checked last, and whether it masks one of the access record's fields."""

    redactor: Redactor | None = None
    masks = False


_NAMES: Final = ("event", "endpoint", "method", "status", "duration_ms", "bytes", "route", "aborted", CONVERSATION)


def _take(own: dict[str, object], context: Context | None) -> bool:
    """Give the sink the fields without making a record. False if a field has to be masked or looks unusual."""
    redactor = policy()
    if _Checked.redactor is not redactor:
        _Checked.masks = any(map(redactor.sensitive, _NAMES))
        _Checked.redactor = redactor
    level = logging.getLevelName(logging.INFO)
    if _Checked.masks or level not in LEVELS:
        return False
    message = f"{own['method']} {own['endpoint']} {own['status']}"
    conversation = conversation_id()
    if not redactor.harmless(f"{message}\n{own.get('route', '')}\n{conversation or ''}"):
        return False
    created = time.time()
    fields: dict[str, Any] = {
        names.TIMESTAMP: timestamp(created),
        names.LEVEL: level,
        names.LOGGER_NAME: ACCESS_LOGGER,
        names.MESSAGE: message,
        names.MODULE: _MODULE,
        names.FUNCTION: access_record.__name__,
        names.LINE: 0,
        names.PROCESS_ID: os.getpid() if logging.logProcesses else None,
    }
    span = trace.get_current_span(context).get_span_context()
    if span.is_valid:
        fields[names.TRACE_ID] = span.trace_id.to_bytes(16, "big").hex()  # a tenth of what formatting takes
        fields[names.SPAN_ID] = span.span_id.to_bytes(8, "big").hex()
    if conversation is not None:
        own[CONVERSATION] = conversation
    fields.update(own)
    sink.SINK.take(sink.Entry(ACCESS_LOGGER, created, logging.INFO, fields, span, None, own))
    return True
