"""An app that was written for the home-made utilities: its `utils` package re-exports ours and nothing else changes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.distro import App
from support.process import BIN

UTILS = "from otel_chatbot import *\n"
SOURCE = """
import asyncio, os
from flask import Flask, jsonify
from utils import *
from utils import ChatbotLogger, HealthChecker, HealthStatus, LogEvents, LogOperation, track_time, count_calls, track_errors
import utils

setup_logger(log_level="INFO", json_output=True)
ChatbotLogger.setup(log_dir="logs", log_level="INFO", json_output=True, console_output=True, max_bytes=10 * 1024 * 1024, backup_count=5)
logger = get_logger("old")
assert ChatbotLogger.get_logger("old") is logger
app = Flask(__name__)
app.register_blueprint(create_health_blueprint())
app.register_blueprint(create_metrics_blueprint())
checker = get_health_checker()
assert isinstance(checker, HealthChecker)
checker.register_check("model", lambda: True)
checker.register_check("broken", lambda: False)

@track_time(response_time)
@count_calls(conversations_created)
def plain():
    return "done"

@track_errors()
def fails():
    raise ValueError("no")

@track_time(ai_response_time)
async def later():
    return "later"

@require_healthy("database")
def needs_database():
    return "there"

@app.get("/do")
def do():
    plain()
    asyncio.run(later())
    try:
        fails()
    except ValueError:
        pass
    messages_sent.inc()
    messages_received.inc(2)
    cache_hits.inc(); cache_misses.inc()
    db_queries.inc(); errors_total.inc()
    active_users.set(5); active_users.inc(); active_users.dec()
    active_conversations.set(3)
    cache_size.set(7); db_connections.set(2)
    db_query_time.observe(0.01); cache_operation_time.observe(0.001)
    with LogOperation("load", logger, size=3):
        pass
    LogEvents.conversation_created(logger, "u1", "c1", "m")
    LogEvents.message_sent(logger, "c1", "user", 4)
    LogEvents.cache_hit(logger, "k"); LogEvents.cache_miss(logger, "k")
    LogEvents.db_query(logger, "messages", "find", 1.5)
    LogEvents.api_request(logger, "/do", "GET", 200, 2.5)
    LogEvents.error(logger, "ValueError", "no", where="here")
    mine = Counter("orders", "Orders placed", attributes=("kind",))
    mine.inc(kind="book")
    Gauge("queue.length").set(4)
    Histogram("step.time", unit="s").observe(0.2)
    figures = get_all_metrics()
    return jsonify(
        sixteen=len(figures), needs=needs_database(), text="chatbot_messages_sent_total" in get_prometheus_metrics(),
        sent=messages_sent.get(), users=active_users.get(), orders=mine.get(), statuses=[s.value for s in HealthStatus],
        live=checker.liveness()["status"], detailed=sorted(checker.detailed()["checks"]),
        registry=registry.get("chatbot_messages_sent_total") is not None, all=len(registry.all()) >= 16,
    )

@app.get("/reset")
def reset():
    messages_sent.reset()
    one = messages_sent.get()
    reset_all_metrics()
    return jsonify(one=one, sent=messages_sent.get(), received=messages_received.get())

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]))
"""
WAYS = {
    "plain": [sys.executable, "app.py"],
    "instrumented": [str(BIN / "opentelemetry-instrument"), sys.executable, "app.py"],
}


@pytest.mark.parametrize("way", WAYS)
def test_every_old_call_works(way: str, tmp_path: Path) -> None:
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils" / "__init__.py").write_text(UTILS)
    with App(tmp_path, source=SOURCE, command=WAYS[way], path="/health/live") as app:
        status, text = app.get("/do")
        assert status == 200, app.stderr
        answer = json.loads(text)
        assert answer == {
            "sixteen": 16, "needs": "there", "text": True, "sent": 1, "users": 5, "orders": 1,
            "statuses": ["healthy", "degraded", "unhealthy"], "live": "healthy",
            "detailed": ["broken", "cache", "database", "model"], "registry": True, "all": True,
        }  # fmt: skip
        figures = json.loads(app.get("/metrics/json")[1])["metrics"]
        assert figures["chatbot_messages_received_total"]["value"] == 2
        assert figures["chatbot_errors_total"]["value"] == 2  # by hand, and by track_errors
        assert figures["chatbot_active_users"]["value"] == 5
        assert figures["chatbot_db_query_time_seconds"]["count"] == 1
        assert figures["chatbot_ai_response_time_seconds"]["count"] == 1
        # Where requests measure themselves, the hand measurement inside one is the same event.
        assert figures["chatbot_response_time_seconds"]["count"] == 1
        assert (figures["orders_total"]["value"], figures["queue_length"]["value"]) == (1, 4)
        assert figures["step_time_seconds"]["count"] == 1
        assert app.get("/health/ready")[0] == 200
        assert app.get("/health/detailed")[0] == 503  # a registered check is required, and one says no
        assert json.loads(app.get("/reset")[1]) == {"one": 0, "sent": 0, "received": 0}
    events = [line.get("event") for line in app.log_lines() if line["logger"] == "old"]
    for event in ("conversation_created", "message_sent", "cache_hit", "cache_miss", "db_query", "api_request", "error"):
        assert events.count(event) == 1, event
    messages = [line["message"] for line in app.log_lines() if line["logger"] == "old"]
    assert messages.count("Starting: load") == messages.count("Completed: load") == 1
    assert "Completed: load" in app.stderr
