"""A small chatbot, for tests, that can also count by hand with the package's public names, as its HANDS says.

`HANDS=1` counts each of the sixteen by hand, beside what fills itself if anything does: the figures have to be the same.
"""

import os
import threading
import time

from flask import Flask, g, jsonify, request
from openai import OpenAI, OpenAIError
from pymongo import MongoClient
from redis import Redis

HANDS = os.environ.get("HANDS") == "1"

if HANDS:
    import otel_chatbot

app = Flask(__name__)
database = MongoClient(os.environ["MONGODB_URI"], connect=False).get_default_database("bot")
redis = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
model = OpenAI(max_retries=0)
users, conversations, answers = set(), set(), set()
PROBES = ("/health", "/metrics")


class Timed:
    """Observes a histogram by hand, or nothing."""

    def __init__(self, histogram):
        self.histogram = histogram

    def __enter__(self):
        self.began = time.perf_counter()

    def __exit__(self, *_):
        if HANDS:
            getattr(otel_chatbot, self.histogram).observe(time.perf_counter() - self.began)


def count(name, amount=1):
    if HANDS:
        getattr(otel_chatbot, name).inc(amount)


def query(run):
    with Timed("db_query_time"):
        count("db_queries")
        return run()


@app.before_request
def began():
    g.began = time.perf_counter()


@app.after_request
def ended(response):
    if HANDS and not request.path.startswith(PROBES):
        otel_chatbot.api_requests.inc()
        otel_chatbot.response_time.observe(time.perf_counter() - g.began)
        otel_chatbot.active_users.set(len(users))
        otel_chatbot.active_conversations.set(len(conversations))
        otel_chatbot.cache_size.set(len(answers))
        otel_chatbot.db_connections.set(1)  # the server has one thread
    return response


@app.errorhandler(Exception)
def broke(error):
    count("errors_total")
    return jsonify(error=str(error)), 500


@app.post("/turns")
def turn():
    asked = request.get_json()
    users.add(asked["user_id"])
    conversations.add(asked["conversation_id"])
    with Timed("cache_operation_time"):
        answer = redis.get(asked["text"])
    count("cache_hits" if answer else "cache_misses")
    if query(lambda: database.conversations.find_one({"name": asked["conversation_id"]})) is None:
        query(lambda: database.conversations.insert_one({"name": asked["conversation_id"]}))
        count("conversations_created")
    query(lambda: database.messages.insert_one({"role": "user", "text": asked["text"]}))
    count("messages_sent")
    if answer is None:
        try:
            with Timed("ai_response_time"):
                reply = model.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": asked["text"]}])
        except OpenAIError:
            count("errors_total")
            return jsonify(error="the model"), 502
        answer = reply.choices[0].message.content
        with Timed("cache_operation_time"):
            redis.set(asked["text"], answer)
        answers.add(asked["text"])
    query(lambda: database.messages.insert_one({"role": "assistant", "text": answer}))
    count("messages_received")
    return jsonify(answer=answer)


@app.post("/broken")
def broken():
    raise LookupError("nothing here")


@app.post("/later")
def later():
    """Work of a thread of the app's own, outside of every request."""

    def work():
        query(lambda: database.messages.insert_many([{"role": "user", "text": "a"}, {"role": "user", "text": "b"}]))
        count("messages_sent", 2)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return "", 204


if HANDS:
    app.register_blueprint(otel_chatbot.create_metrics_blueprint())
    app.register_blueprint(otel_chatbot.create_health_blueprint())

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), threaded=False)
