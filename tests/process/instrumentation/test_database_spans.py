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
from otel_chatbot.instrumentation import cachelib
from otel_chatbot.instrumentation.mongodb import hooks as mongo
from otel_chatbot.instrumentation.redis import hooks as cache

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


BESIDE = """
import asyncio, contextlib, json, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
if sys.argv[3] == "ours":
    from otel_chatbot.instrumentation.mongodb import hooks as mongo
    from otel_chatbot.instrumentation.redis import hooks as cache
    mongo.instrument(), cache.instrument()
else:
    from opentelemetry.instrumentation.pymongo import PymongoInstrumentor
    from opentelemetry.instrumentation.redis import RedisInstrumentor
    PymongoInstrumentor().instrument(), RedisInstrumentor().instrument()

import pymongo, redis, redis.asyncio
fails = contextlib.suppress(pymongo.errors.PyMongoError, redis.RedisError)

with pymongo.MongoClient(sys.argv[1]) as client:
    db = client[sys.argv[3]]
    db.messages.insert_many([{"_id": number} for number in range(5)])
    with fails:
        db.messages.insert_one({"_id": 1})
    list(db.messages.find({}, batch_size=2))
    left = db.messages.find({}, batch_size=2)
    next(left), left.close()
    list(db.messages.aggregate([{"$match": {}}]))
    db.messages.update_one({"_id": 1}, {"$set": {"a": 1}})
    db.messages.find_one_and_update({"_id": 1}, {"$set": {"a": 2}})
    with fails:
        db.command({"create": "messages", "capped": "x"})
    db.messages.create_index("a"), db.messages.drop(), client.admin.command("ping")

async def asynchronous():
    async with redis.asyncio.Redis.from_url(sys.argv[2]) as client:
        await client.set("a", 1)
        await client.pipeline().get("a").set("a", 2).execute()
        with fails:
            await client.lpush("a", 1)

with redis.Redis.from_url(sys.argv[2]) as client:
    client.script_flush(), client.set("a", "b", ex=9), client.mget(["a", "b"]), client.execute_command("CONFIG GET", "maxmemory"), client.client_info()
    with fails:
        client.lpush("a", "x")
    client.pipeline().set("a", 1).get("a").execute()
    with fails:
        client.pipeline(transaction=False).get("a").lpush("a", 1).execute()
    watching = client.pipeline()
    watching.watch("a"), watching.get("a"), watching.multi(), watching.set("a", 2)
    client.set("a", 3)
    with fails:
        watching.execute()
    with client.lock("l"):
        client.register_script("return 2")()
    with fails:
        client.ft("i").search("q")
asyncio.run(asynchronous())

print(json.dumps([
    [span.name, span.kind.name, list(map(str, (scope.name, scope.version, scope.schema_url))), dict(span.attributes),
     span.status.status_code.name]
    for span in exporter.get_finished_spans() for scope in [span.instrumentation_scope]
]))
"""


def as_upstream_has_it(attributes: dict, who: str) -> dict:
    """A span's attributes without what the stable database conventions have and upstream lacks, or the other way round."""
    kept = dict(attributes)
    if who == "ours":
        for more in ("db.operation.name", "db.operation.batch.size"):
            kept.pop(more, None)
    if kept["db.system.name"] == "redis":
        kept.pop("db.namespace", None)  # the database's index: ours have it
    for less in ("error.type", "db.response.status_code"):  # ours have them for each failure, upstream's for some
        kept.pop(less, None)
    # A text that is only the command's name: ours have none.
    if who == "upstream" and all("?" not in line for line in kept.get("db.query.text", "").split("\n")):
        kept.pop("db.query.text", None)
    return kept


def test_spans_are_those_of_opentelemetrys_own_instrumentations_but_for_what_the_stable_conventions_add(
    tmp_path: Path, mongo_server: MongoServer, redis_server: RedisServer
) -> None:
    script = tmp_path / "beside.py"
    script.write_text(BESIDE)
    told = {}
    for who in ("ours", "upstream"):
        command = [sys.executable, str(script), mongo_server.uri, redis_server.url, who]
        with Process(command, tmp_path / who, {"OTEL_SEMCONV_STABILITY_OPT_IN": "http,database"}) as app:
            assert app.popen.wait(30) == 0, app.stderr
            told[who] = json.loads(app.stdout)
    for name, _, _, attributes, _ in told["ours"]:
        assert attributes["db.operation.name"], name
        assert attributes["db.namespace"], name
        assert attributes["server.address"] == "127.0.0.1", name
        assert attributes["server.port"] in (mongo_server.port, redis_server.port), name
        assert "?" in attributes.get("db.query.text", "?"), f"{name}: a text that is only the name"
    for who, spans in told.items():
        for span in spans:
            span[3] = as_upstream_has_it(span[3], who)
            span[3].pop("db.collection.name", None) if span[0].endswith(".getMore") else None  # ours has it
            span[3]["db.namespace"] = "chat" if span[3].get("db.namespace") == who else span[3].get("db.namespace")
            span[0] = span[0].removeprefix(f"{who}.")
    assert len(told["upstream"]) > 30
    assert told["ours"] == told["upstream"]


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
        "db.system.name": "mongodb", "db.namespace": "chat", "db.collection.name": "messages", "db.operation.name": "find",
        "server.address": "127.0.0.1", "server.port": mongo_server.port,
    }  # fmt: skip
    assert pipeline["db.query.text"] == "SET ? ?\nLPUSH ? ?"
    assert pipeline["db.system.name"] == "redis"
    assert (pipeline["db.operation.name"], pipeline["db.operation.batch.size"], pipeline["db.namespace"]) == ("MULTI", 2, "0")
    assert pipeline["error.type"] == "ResponseError"
    assert spans[5]["status"] == {"status_code": "ERROR", "description": "ResponseError"}
    assert spans[5]["events"] == []
