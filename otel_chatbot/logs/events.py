"""The events of a chatbot as log records, each with its name in the field `event`.

Fed by the application; feeds the logger that the application passes. Each record shows the place of the caller.
"""

from __future__ import annotations

import logging
from typing import Any

from .._wiring import ensure_configured
from ..semconv.logs import Event
from .records import rename_refused


class LogEvents:
    """One static method per event. The level is INFO, for errors ERROR."""

    @staticmethod
    def conversation_created(logger: logging.Logger, user_id: str, conversation_id: str, model: str) -> None:
        """Log that a conversation was created."""
        fields = {"user_id": user_id, "conversation_id": conversation_id, "model": model}
        _log(logger, Event.CONVERSATION_CREATED, fields, "Conversation created: %s", conversation_id)

    @staticmethod
    def message_sent(logger: logging.Logger, conversation_id: str, role: str, length: int) -> None:
        """Log that a message was sent; `length` is that of its text, which is not logged."""
        fields = {"conversation_id": conversation_id, "role": role, "message_length": length}
        _log(logger, Event.MESSAGE_SENT, fields, "Message sent: %s", role)

    @staticmethod
    def cache_hit(logger: logging.Logger, cache_key: str) -> None:
        """Log that the cache had a key."""
        _log(logger, Event.CACHE_HIT, {"cache_key": cache_key}, "Cache hit: %s", cache_key)

    @staticmethod
    def cache_miss(logger: logging.Logger, cache_key: str) -> None:
        """Log that the cache did not have a key."""
        _log(logger, Event.CACHE_MISS, {"cache_key": cache_key}, "Cache miss: %s", cache_key)

    @staticmethod
    def db_query(logger: logging.Logger, collection: str, operation: str, duration_ms: float) -> None:
        """Log a database query and its time in milliseconds."""
        fields = {"collection": collection, "operation": operation, "duration_ms": duration_ms}
        _log(logger, Event.DB_QUERY, fields, "Database query: %s on %s", operation, collection)

    @staticmethod
    def api_request(logger: logging.Logger, endpoint: str, method: str, status: int, duration_ms: float) -> None:
        """Log a request that was answered and its time in milliseconds."""
        fields = {"endpoint": endpoint, "method": method, "status": status, "duration_ms": duration_ms}
        _log(logger, Event.API_REQUEST, fields, "API request: %s %s %s", method, endpoint, status)

    @staticmethod
    def error(logger: logging.Logger, error_type: str, message: str, **extra: Any) -> None:
        """Log an error."""
        fields = rename_refused(extra, {"event": Event.ERROR.value, "error_type": error_type})
        ensure_configured()
        logger.error("%s", message, extra=fields, stacklevel=2)


def _log(logger: logging.Logger, event: Event, fields: dict[str, Any], message: str, *args: object) -> None:
    ensure_configured()
    logger.info(message, *args, extra={"event": event.value, **fields}, stacklevel=3)
