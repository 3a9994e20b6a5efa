"""Names in log records: our loggers, the fields of a JSON line, the events of a chatbot.

Feeds `logs/` and the documentation.
"""

from __future__ import annotations

from enum import Enum

LOGGER = "chatbot"
"""The logger that `get_logger()` returns."""
ACCESS_LOGGER = "chatbot.access"
"""The logger of the access records, one per request."""
FEEDBACK_LOGGER = "chatbot.feedback"
"""The logger of the events of ratings."""
EVALUATION = "gen_ai.evaluation.result"
"""The event of an answer's evaluation, in the name of the GenAI conventions."""
USER_FEEDBACK = "user_feedback"
"""What that event calls an evaluation by a user (`gen_ai.evaluation.name`)."""
OTEL_EVENT = "otel.event.name"
"""The field that becomes the event's name in OTLP."""
PACKAGE_LOGGER = "otel_chatbot"
"""The logger on which the package speaks of itself."""

JSON_FILE = "chatbot.json.log"
ERROR_FILE = "chatbot.error.log"
TEXT_FILE = "chatbot.log"

TIMESTAMP = "timestamp"
LEVEL = "level"
LOGGER_NAME = "logger"
MESSAGE = "message"
MODULE = "module"
FUNCTION = "function"
LINE = "line"
PROCESS_ID = "process_id"
TRACE_ID = "trace_id"
SPAN_ID = "span_id"
EXCEPTION = "exception"
STACK_INFO = "stack_info"
CLIPPED = "clipped"
"""Says what was left out of a line that would have been too long."""

FIELDS = frozenset(
    {
        TIMESTAMP,
        LEVEL,
        LOGGER_NAME,
        MESSAGE,
        MODULE,
        FUNCTION,
        LINE,
        PROCESS_ID,
        TRACE_ID,
        SPAN_ID,
        EXCEPTION,
        STACK_INFO,
        CLIPPED,
    }
)
"""The fields that a line has by itself; an application's field of the same name gets an underscore behind it."""


class Event(str, Enum):
    """Values of the field `event`."""

    CONVERSATION_CREATED = "conversation_created"
    MESSAGE_SENT = "message_sent"
    CACHE_HIT = "cache_hit"
    CACHE_MISS = "cache_miss"
    DB_QUERY = "db_query"
    API_REQUEST = "api_request"
    ERROR = "error"


class Status(str, Enum):
    """Values of the field `status` of a `LogOperation`."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
