"""A Flask app that is driven inside its own process: each line of standard input asks for a number of requests.

Fed by `request_cost.py`; answers each line with a line of JSON, the cost. The environment variable SIDE selects the set-up in
the program itself, VIEW the view: `hello`, `line` (it logs one line) or `chat` (a turn with four MongoDB commands, three of
Redis and one AI call). The cost is the CPU time of the whole process, later exports of its threads included, per request.
"""

from __future__ import annotations

import io
import json
import logging
import os
import resource
import sys
import time
from typing import Any

from flask import Flask, Response, jsonify, request

app = Flask("bench")


def environ(path: str, method: str = "GET", body: bytes = b"") -> dict[str, Any]:
    """The environ that gunicorn makes for a request of curl."""
    return {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", "RAW_URI": path,
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "gunicorn/27.0",
        "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "51234", "HTTP_HOST": "127.0.0.1:8000", "HTTP_USER_AGENT": "curl/8.5.0",
        "HTTP_ACCEPT": "*/*", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
    }  # fmt: skip


def start_response(status: str, _headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
    if not status.startswith("200"):
        raise RuntimeError(f"the app answered {status}")


def ask(path: str, method: str = "GET", body: bytes = b"") -> None:
    answer = app(environ(path, method, body), start_response)
    try:
        for _ in answer:
            pass
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()


def hello() -> Response:
    return jsonify(hello="world")


def one_line() -> Response:
    """A view that logs one line."""
    logging.getLogger("bench").warning("answer %d", 7)
    return hello()


def chat_view() -> Any:
    """The view of a chat turn, with clients that are made as in an application."""
    from openai import OpenAI
    from pymongo import MongoClient
    from redis import Redis

    database = MongoClient(os.environ["MONGODB_URI"])[f"bench_{os.getpid()}"]
    redis = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    model = OpenAI(api_key="local", max_retries=0)
    conversation = database.conversations.insert_one({"user_id": "ada", "title": "Bench"}).inserted_id

    def chat() -> Response:
        text = request.get_json()["message"]
        database.messages.insert_one({"conversation_id": conversation, "role": "user", "content": text})
        history = list(database.messages.find({"conversation_id": conversation}).limit(3))
        answer = redis.get("answer")
        if answer is None:
            said = [{"role": "user", "content": message["content"]} for message in history[:1]]
            answer = model.chat.completions.create(model="gpt-4o-mini", messages=said).choices[0].message.content
        redis.set("last", answer or "", ex=60)
        redis.incr("turns")
        database.messages.insert_one({"conversation_id": conversation, "role": "assistant", "content": answer})
        database.conversations.update_one({"_id": conversation}, {"$set": {"title": text}})
        return jsonify(response=answer)

    return chat


TIMES = 20
"""How often one request asks for what is cheap."""


def budget_checks() -> Any:
    """The view that asks again and again whether a model may be asked."""
    from otel_chatbot import over_budget

    def check_budgets() -> Response:
        for _ in range(TIMES):
            over_budget(user="ada")
        return hello()

    return check_budgets


def told_calls() -> Any:
    """The view that tells again and again of a model call of its own."""
    from otel_chatbot import chat_completion, over_budget

    def tell() -> Response:
        over_budget(user="ada")
        for _ in range(TIMES):
            with chat_completion("openai", "gpt-4o-mini") as call:
                call.usage(900, 200)
        return hello()

    return tell


def model_call(*, stream: bool) -> Any:
    """A view that asks a model one time and does nothing else."""
    from openai import OpenAI

    model = OpenAI(api_key="local", max_retries=0)
    said: Any = [{"role": "user", "content": "What is a span?"}]

    def ask_model() -> Response:
        if stream:
            usage: Any = {"include_usage": True}
            for _ in model.chat.completions.create(model="gpt-4o-mini", messages=said, stream=True, stream_options=usage):
                pass
        else:
            model.chat.completions.create(model="gpt-4o-mini", messages=said)
        return hello()

    return ask_model


def set_up(side: str) -> None:
    """Do what the side's documentation says to do in the program."""
    if side == "prometheus":
        from prometheus_flask_exporter import PrometheusMetrics

        PrometheusMetrics(app)
    elif side == "logfire":
        import logfire

        logfire.configure(send_to_logfire=False, console=False)
        logfire.instrument_flask(app)


def check() -> None:
    """RuntimeError if the side that is to be measured does not work."""
    expected = os.environ.get("EXPECTS")
    if expected and expected not in sys.modules:
        raise RuntimeError(f"{expected} is not imported")


def flush() -> None:
    """Export everything that waits, and wait until the process is quiet."""
    sdk = sys.modules.get("opentelemetry.trace")
    if sdk is not None:
        getattr(sdk.get_tracer_provider(), "force_flush", lambda: None)()
    logs = sys.modules.get("opentelemetry._logs")
    if logs is not None:
        getattr(logs.get_logger_provider(), "force_flush", lambda: None)()
    for _ in range(100):
        before = time.process_time()
        time.sleep(0.02)
        if time.process_time() - before < 0.0003:
            return


def main() -> None:
    set_up(os.environ.get("SIDE", ""))
    check()
    if os.environ.get("VIEW") == "chat":
        app.post("/chat")(chat_view())
        body = json.dumps({"message": "What is a span?", "user_id": "ada", "conversation_id": "c1"}).encode()
        arguments: tuple[Any, ...] = ("/chat", "POST", body)
    else:
        app.get("/hello")(one_line if os.environ.get("VIEW") == "line" else hello)
        arguments = ("/hello",)
    for number in range(int(os.environ.get("ROUTES", "0"))):
        app.get(f"/route{number}", endpoint=f"route{number}")(hello)
    routes = int(os.environ.get("ROUTES", "0"))
    print(json.dumps({"ready": time.process_time()}), flush=True)
    for line in sys.stdin:
        count = int(line)
        begin = time.process_time()
        if routes:
            for number in range(count):
                ask(f"/route{number % routes}")
        else:
            for _ in range(count):
                ask(*arguments)
        flush()
        spent = time.process_time() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"cpu": spent / count * 1e6, "peak_kib": peak}), flush=True)


if __name__ == "__main__":
    main()
