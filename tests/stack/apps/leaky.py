"""An app, for the canary test, that does everything careless that an app can do with secrets. It knows nothing of the package.

Each route takes its secrets from the request's JSON (the canaries) and puts them where the route's name says. What it logs is
what an app logs on purpose; there only what the redaction's patterns and key names find must be gone.
"""

import logging
import os
import warnings

from flask import Flask, abort, jsonify, request, session
from openai import OpenAI
from opentelemetry import metrics, trace
from opentelemetry.trace import Link, Status, StatusCode
from pymongo import InsertOne, MongoClient
from redis import Redis

if os.environ.get("CONSOLE"):
    from otel_chatbot import setup_logger

    setup_logger()

logging.captureWarnings(True)
log = logging.getLogger("leaky")
log.setLevel(logging.DEBUG)
app = Flask(__name__)
app.secret_key = os.environ["FLASK_SECRET"]
mongo = MongoClient(os.environ["MONGODB_URI"], connect=False)
database = mongo.get_default_database("leaky")
redis = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
model = OpenAI(max_retries=0)
echoing = OpenAI(base_url=os.environ["ECHO_URL"], max_retries=0)
kept = []


@app.post("/body")
def body():
    return jsonify(request.get_json())


@app.post("/form")
def form():
    session["user_id"] = request.form["name"]
    return request.form["name"]


@app.get("/people/<user_id>/letters/<path:letter>")
def path(user_id, letter):
    return user_id if letter != "none" else abort(404)


@app.post("/raise")
def raises():
    said = request.get_json()
    try:
        raise KeyError(said["inner"])
    except KeyError as error:
        failure = RuntimeError(said["outer"])
        if hasattr(failure, "add_note"):
            failure.add_note(said["note"])
        raise failure from error


@app.post("/mongo")
def documents():
    said = request.get_json()
    database.messages.insert_one({"role": "user", "content": said["document"], "user_id": said["user"]})
    list(database.messages.find({"content": said["filter"]}))
    list(database.messages.aggregate([{"$match": {"content": said["filter"]}}]))
    database.messages.update_one({"content": said["filter"]}, {"$set": {"content": said["document"]}}, upsert=True)
    database.conversations.update_one(
        {"title": said["filter"]}, {"$push": {"messages": {"role": "user", "content": said["document"]}}}
    )
    return ""


@app.post("/duplicate")
def duplicate():
    """Two failures that hold documents: one is logged in every way, the other is raised."""
    said = request.get_json()
    database.users.insert_one({"_id": said["key"]})
    try:
        database.users.insert_one({"_id": said["key"]})
    except Exception as error:
        log.exception("the user is there already")
        log.error("the user is there already: %s", error)
        log.error("the user is there already: %r", {"error": error})
        log.error("the user is there already", extra={"cause": error, "causes": [error]})
        log.error(error)
        log.error(f"the user is there already: {error}")
        try:
            raise RuntimeError("the user cannot be made") from error
        except RuntimeError as chained:
            log.error("it failed for a reason", exc_info=chained)
            trace.get_current_span().record_exception(chained)
        with trace.get_tracer("leaky").start_as_current_span("second try") as span:
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, str(error)))
    database.users.bulk_write([InsertOne({"_id": said["key"], "letter": said["letter"]})])


@app.post("/redis")
def cached():
    said = request.get_json()
    redis.set(said["key"], said["value"])
    redis.get(said["key"])
    redis.execute_command(f"GET {said['key']}")
    with redis.pipeline() as pipe:
        pipe.hset(said["key"] + ":hash", said["field"], said["value"])
        pipe.get(said["key"])
        pipe.execute()
    for fail in (
        lambda: redis.lpush(said["key"], said["value"]),
        lambda: redis.execute_command("NOSUCH", said["key"], said["value"]),
    ):
        try:
            fail()
        except Exception:
            log.exception("the cache is odd")
    with redis.pipeline() as pipe:
        pipe.lpush(said["key"], said["value"])
        pipe.execute()


@app.post("/model")
def ask():
    said = request.get_json()
    messages = [{"role": "system", "content": said["system"]}, {"role": "user", "content": said["prompt"]}]
    whole = model.chat.completions.create(model="gpt-4o", messages=messages, user=said["user"]).choices[0].message.content
    stream = model.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
    pieces = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert said["prompt"] in whole
    assert pieces == whole
    try:
        echoing.chat.completions.create(model="gpt-4o", messages=messages)
    except Exception as error:
        log.exception("the model refuses")
        log.warning("the model refuses: %s", error)
        log.warning(f"the model refuses: {error}")
    echoing.chat.completions.create(model="gpt-4o", messages=messages)


@app.post("/unreachable")
def unreachable():
    said = request.get_json()
    urls = [f"mongodb://{said['user']}:{said['password']}@127.0.0.1:1/?serverSelectionTimeoutMS=100"]
    urls += [f"mongodb+srv://{said['user']}:{said['password']}@cluster.invalid/db"]
    urls += [f"redis://{said['user']}:{said['password']}@127.0.0.1:1/0", f"rediss://:{said['password']}@127.0.0.1:1/0"]
    for url in urls:
        log.error("cannot reach %s", url)
        log.error("cannot reach it", extra={"url": url, "settings": {"uri": url, "tried": [url]}})
    clients = MongoClient(urls[0]), Redis.from_url(urls[2])
    kept.extend(clients)  # alive, so that the health checks ask them
    for client in clients:
        try:
            client.admin.command("ping") if isinstance(client, MongoClient) else client.ping()
        except Exception as error:
            log.exception("not there: %r", client)
            log.error("not there", exc_info=error, stack_info=True)
    raise ConnectionError(f"none of {urls}")


@app.post("/log")
def logs():
    said = request.get_json()
    log.info("told on purpose", extra={"user_id": said["stays"], "conversation_id": said["stays"]})
    log.info("with arguments: %s and %s", said["text"], said["text"])
    log.warning(said["text"])
    log.info(
        "with fields", extra={"password": said["secret"], "headers": {"Authorization": said["secret"]}, "token": said["secret"]}
    )
    log.info("with a text", extra={"note": said["text"], "notes": [said["text"], {"deep": said["text"]}], said["text"]: 1})
    log.info("password=%s api_key: %s Cookie: session=%s", said["secret"], said["secret"], said["secret"])
    log.info({"password": said["secret"], "text": said["text"]})
    log.debug("at debug: %s", said["text"])
    warnings.warn(said["text"], stacklevel=1)
    logging.getLogger("werkzeug").info(said["text"])
    return ""


@app.post("/spans")
def spans():
    said = request.get_json()
    tracer = trace.get_tracer("leaky")
    link = Link(trace.get_current_span().get_span_context(), {"note": said["text"]})
    with tracer.start_as_current_span(f"work for {said['text']}", links=[link]) as span:
        span.set_attribute("note", said["text"])
        span.set_attribute("notes", [said["text"], said["text"]])
        span.set_attribute("app.password", said["secret"])
        span.set_attribute("http.request.header.authorization", [said["secret"]])
        span.add_event(f"seen {said['text']}", {"note": said["text"], "api_key": said["secret"]})
        span.record_exception(ValueError(said["text"]), {"note": said["text"]})
        span.set_status(Status(StatusCode.ERROR, said["text"]))
    metrics.get_meter("leaky").create_counter("leaky.work").add(1)
    return ""
