"""The access record: one log record a request, written after the last byte of its answer, inside its trace.

Fed by the Flask hook; feeds the sink, and no console: the logger does not propagate.
"""

from __future__ import annotations

import logging

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from .. import config
from .._guard import never_raise
from ..semconv.logs import ACCESS_LOGGER, Event
from . import sink

_logger = logging.getLogger(ACCESS_LOGGER)
_logger.propagate = False
_logger.addHandler(logging.NullHandler())


def replace_request_lines(replace: bool = True) -> None:
    """Leave the servers' own request lines out of the files and the export, for access records stand for them."""
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
