"""Counts the function calls, in Python and C, of single parts of a chat turn; prints them as JSON, by part.

Run by `calls.py` under each side. The counts are the same in every run, however busy the machine is.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from driven import app, ask, chat_view, check
from flask import Response, jsonify, request
from openai import OpenAI
from pymongo import MongoClient
from redis import Redis

ROUNDS = 50
BODY = json.dumps({"message": "What is a span?", "user_id": "ada", "conversation_id": "c1"}).encode()


def parts() -> dict[str, Callable[[], object]]:
    """The work of each part; the first does nothing."""
    database = MongoClient[dict[str, Any]](os.environ["MONGODB_URI"])["bench_calls"]
    redis = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    model = OpenAI(api_key="local", max_retries=0)
    return {
        "a request": lambda: None,
        "an insert into MongoDB": lambda: database.messages.insert_one(
            {"conversation_id": 1, "role": "user", "content": "text"}
        ),
        "a find in MongoDB": lambda: list(database.messages.find({"conversation_id": 1}).limit(3)),
        "a get from Redis": lambda: redis.get("answer"),
        "an AI call": lambda: model.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
        ),
        "a chat turn's view": chat_view(),
    }


def view(part: Callable[[], object]) -> Callable[[], Response]:
    """The view of a part."""

    def answer() -> Response:
        request.get_json()
        part()
        return jsonify(response="x")

    return answer


def main() -> None:
    check()
    paths = {}
    for number, (name, part) in enumerate(parts().items()):
        paths[name] = f"/part{number}"
        app.post(paths[name], endpoint=f"part{number}")(view(part))
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        if event in ("call", "c_call"):
            calls += 1

    counted = {}
    for name, path in paths.items():
        for _ in range(20):
            ask(path, "POST", BODY)
        calls = 0
        sys.setprofile(count)
        for _ in range(ROUNDS):
            ask(path, "POST", BODY)
        sys.setprofile(None)
        counted[name] = calls / ROUNDS
    print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    main()
