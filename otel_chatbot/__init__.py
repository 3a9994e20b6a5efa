"""otel-chatbot: metrics, traces, logs and health of a chatbot, with no telemetry code.

The facade: every public name, imported from its room when it is first asked for. Importing this package configures
nothing and creates no file; the first count, log, blueprint or check does (`_wiring.ensure_configured`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from .distro import instrument
    from .health import HealthChecker, HealthStatus, create_health_blueprint, get_health_checker, require_healthy
    from .instrumentation.genai.completion import ChatCompletion, cached_answer, chat_completion
    from .logs import ChatbotLogger, ColoredFormatter, JsonFormatter, LogEvents, LogOperation, get_logger, setup_logger
    from .metrics.api import (
        Counter,
        Gauge,
        Histogram,
        MetricsRegistry,
        get_all_metrics,
        get_prometheus_metrics,
        registry,
        reset_all_metrics,
    )
    from .metrics.blueprint import create_metrics_blueprint
    from .metrics.chatbot import (
        active_conversations,
        active_users,
        ai_response_time,
        api_requests,
        cache_hits,
        cache_misses,
        cache_operation_time,
        cache_size,
        conversations_created,
        db_connections,
        db_queries,
        db_query_time,
        errors_total,
        messages_received,
        messages_sent,
        response_time,
    )
    from .metrics.decorators import count_calls, track_errors, track_time
    from .quality.answer_ids import answer_id
    from .quality.budgets.check import OverBudget, over_budget
    from .quality.budgets.guard import budget_guard
    from .quality.feedback import FeedbackResult, feedback
    from .quality.views import create_feedback_blueprint

__all__ = [
    "ChatCompletion",
    "ChatbotLogger",
    "ColoredFormatter",
    "Counter",
    "FeedbackResult",
    "Gauge",
    "HealthChecker",
    "HealthStatus",
    "Histogram",
    "JsonFormatter",
    "LogEvents",
    "LogOperation",
    "MetricsRegistry",
    "OverBudget",
    "answer_id",
    "budget_guard",
    "cached_answer",
    "chat_completion",
    "count_calls",
    "create_feedback_blueprint",
    "create_health_blueprint",
    "create_metrics_blueprint",
    "feedback",
    "get_all_metrics",
    "get_health_checker",
    "get_logger",
    "get_prometheus_metrics",
    "instrument",
    "over_budget",
    "registry",
    "require_healthy",
    "reset_all_metrics",
    "setup_logger",
    "track_errors",
    "track_time",
]

# The chatbot metrics, written by `otel-chatbot render` from semconv/metrics.py, here and in the imports above.
__all__ += [
    "active_conversations",
    "active_users",
    "ai_response_time",
    "api_requests",
    "cache_hits",
    "cache_misses",
    "cache_operation_time",
    "cache_size",
    "conversations_created",
    "db_connections",
    "db_queries",
    "db_query_time",
    "errors_total",
    "messages_received",
    "messages_sent",
    "response_time",
]
__all__.sort()

_ROOMS = {
    "distro": ("instrument",),
    "health": ("HealthChecker", "HealthStatus", "create_health_blueprint", "get_health_checker", "require_healthy"),
    "instrumentation.genai.completion": ("ChatCompletion", "cached_answer", "chat_completion"),
    "logs": (
        "ChatbotLogger",
        "ColoredFormatter",
        "JsonFormatter",
        "LogEvents",
        "LogOperation",
        "get_logger",
        "setup_logger",
    ),
    "metrics.api": (
        "Counter",
        "Gauge",
        "Histogram",
        "MetricsRegistry",
        "get_all_metrics",
        "get_prometheus_metrics",
        "registry",
        "reset_all_metrics",
    ),
    "metrics.blueprint": ("create_metrics_blueprint",),
    "metrics.decorators": ("count_calls", "track_errors", "track_time"),
    "quality.budgets.check": ("OverBudget", "over_budget"),
    "quality.budgets.guard": ("budget_guard",),
    "quality.answer_ids": ("answer_id",),
    "quality.feedback": ("FeedbackResult", "feedback"),
    "quality.views": ("create_feedback_blueprint",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


if not TYPE_CHECKING:  # a type checker would take it for a promise that every name exists

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("otel-chatbot")
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # OpenTelemetry raises for some bad values while a room imports it.
        importlib.import_module(f"{__name__}.variables.mending").MENDING.mend()
        room = importlib.import_module(f"{__name__}.{_ROOM_OF.get(name, 'metrics.chatbot')}")
        value = getattr(room, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
