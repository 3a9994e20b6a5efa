"""A chatbot with its history in Redis lists, answers kept in Redis for a while, and Gemini asked by requests."""

from __future__ import annotations

import hashlib
import json
import os
import uuid

import redis
import requests
from flask import Flask, jsonify, request, session
from sixteen import MODEL, TURNS, Books

app = Flask(__name__)
app.secret_key = "key"
books = Books(app)
kept = redis.Redis.from_url(os.environ["REDIS"], decode_responses=True)


def ask(history):
    parts = [{"role": "user" if one["role"] == "user" else "model", "parts": [{"text": one["content"]}]} for one in history]
    url = f"{MODEL}/v1beta/models/gemini-2.5-flash:generateContent"
    answer = requests.post(url, params={"key": "k"}, json={"contents": parts}, timeout=60)
    return answer.json()["candidates"][0]["content"]["parts"][0]["text"]


@app.post("/login")
def login():
    session["username"] = request.get_json()["username"]
    session["chat_id"] = uuid.uuid4().hex
    return "", 204


@app.post("/message")
def message():
    key = f"history:{session['chat_id']}"
    text = request.get_json()["message"]
    kept.rpush(key, json.dumps({"role": "user", "content": text}))
    answers = f"answer:{hashlib.sha256(text.encode()).hexdigest()}"
    answer = kept.get(answers)
    if answer is None:
        answer = ask([json.loads(one) for one in kept.lrange(key, -20, -1)])
        kept.setex(answers, 600, answer)
    kept.rpush(key, json.dumps({"role": "assistant", "content": answer}))
    return jsonify(response=answer)


if __name__ == "__main__":
    kept.flushdb()
    clients = [app.test_client() for _ in range(3)]
    for number, client in enumerate(clients):
        assert client.post("/login", json={"username": f"user{number}"}).status_code == 204
    for number in range(TURNS):
        assert clients[number % 3].post("/message", json={"message": f"hello {number}"}).status_code == 200
    books.truth.update(
        conversations_created=3,
        messages_sent=TURNS,
        messages_received=TURNS,
        active_users=3,
        active_conversations=3,
        cache_misses=TURNS,
    )
    books.report()
