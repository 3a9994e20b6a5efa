"""The spans of MongoDB and Redis in a process of their own: stable names of attributes, upstream's names, no value."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.process import Process
from support.servers import MongoServer, RedisServer

SECRET = "s3cret-value"

APP = """
import sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry import trace
from otel_chatbot.instrumentation import cachelib, pymongo as mongo, redis as cache

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
assert not {"pymongo", "redis", "cachelib"} & set(sys.modules), "the libraries are imported when asked for"
cachelib.instrument(), mongo.instrument(), cache.instrument()

import pymongo, redis
secret = sys.argv[3]
with pymongo.MongoClient(sys.argv[1]) as client:
    client.chat.messages.insert_one({"_id": secret, "role": "user", "text": secret})
    try:
        client.chat.messages.insert_one({"_id": secret})
        client.chat.command({"create": "messages", "capped": secret})
    except Exception:
        pass
    client.chat.messages.find_one({"text": secret})
with redis.Redis.from_url(sys.argv[2]) as client:
    client.set(secret, secret)
    try:
        client.pipeline().set(secret, secret).lpush(secret, secret).execute()
    except Exception:
        pass
print("[" + ",".join(span.to_json(indent=None) for span in exporter.get_finished_spans()) + "]")
"""


@pytest.fixture
def spans(tmp_path: Path, mongo_server: MongoServer, redis_server: RedisServer) -> list[dict]:
    script = tmp_path / "app.py"
    script.write_text(APP)
    command = [sys.executable, str(script), mongo_server.uri, redis_server.url, SECRET]
    with Process(command, tmp_path, {"OTEL_SEMCONV_STABILITY_OPT_IN": "http,database"}) as app:
        assert app.popen.wait(30) == 0, app.stderr
        assert "Traceback" not in app.stderr, app.stderr
        assert SECRET not in app.stdout
        return json.loads(app.stdout)


def test_spans_carry_the_stable_attributes_and_no_value(spans: list[dict], mongo_server: MongoServer) -> None:
    names = ["chat.insert", "chat.insert", "chat.find", "admin.endSessions", "SET", "SET LPUSH"]
    assert [span["name"] for span in spans] == names
    find, pipeline = spans[2]["attributes"], spans[5]["attributes"]
    assert find == {
        "db.system.name": "mongodb", "db.namespace": "chat", "db.collection.name": "messages", "db.query.text": "find",
        "server.address": "127.0.0.1", "server.port": mongo_server.port,
    }  # fmt: skip
    assert pipeline["db.query.text"] == "SET ? ?\nLPUSH ? ?"
    assert pipeline["db.system.name"] == "redis"
    assert pipeline["error.type"] == "ResponseError"
    assert spans[5]["status"] == {"status_code": "ERROR", "description": "ResponseError"}
    assert spans[5]["events"] == []
