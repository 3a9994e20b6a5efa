"""A chatbot that keeps a document per question and answer, under its user's name."""

from __future__ import annotations

import datetime as dt

from flask import Flask, jsonify, request
from sixteen import TURNS, Books, ask_openai

app = Flask(__name__)
books = Books(app)
db = books.database()


@app.post("/ask")
def ask():
    asked = request.get_json()
    answer = ask_openai(asked["question"])
    db.qa_history.insert_one(
        {"username": asked["username"], "question": asked["question"], "answer": answer, "timestamp": dt.datetime.now(dt.UTC),
         "session_id": asked["sessionId"]}
    )  # fmt: skip
    return jsonify(answer=answer)


@app.get("/history/<username>")
def history(username):
    return jsonify([one["question"] for one in db.qa_history.find({"username": username}).sort("timestamp")])


if __name__ == "__main__":
    client = app.test_client()
    for number in range(TURNS):
        client.post(
            "/ask", json={"username": f"u{number % 3}", "sessionId": f"s{number % 4}", "question": f"What is {number}?"}
        )
    assert len(client.get("/history/u0").get_json()) == TURNS // 3
    books.truth.update(messages_sent=TURNS, messages_received=TURNS, active_users=3, active_conversations=4)
    books.report()
