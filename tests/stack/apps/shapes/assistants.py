"""A chatbot that leaves its messages to OpenAI's assistants: it stores nothing, and the client keeps the thread's id."""

from __future__ import annotations

import openai
from flask import Flask, jsonify, request
from sixteen import MODEL, TURNS, Books

app = Flask(__name__)
books = Books(app)
ai = openai.OpenAI(base_url=f"{MODEL}/v1", api_key="k")
beta = ai.beta


@app.post("/threads")
def begin():
    return jsonify(thread_id=beta.threads.create().id)


@app.post("/chat")
def chat():
    asked = request.get_json()
    thread = asked["thread_id"]
    beta.threads.messages.create(thread_id=thread, role="user", content=asked["message"])
    run = beta.threads.runs.create(thread_id=thread, assistant_id="asst_1")
    while run.status in ("queued", "in_progress"):
        run = beta.threads.runs.retrieve(run.id, thread_id=thread)
    newest = beta.threads.messages.list(thread_id=thread).data[0].content[0]
    return jsonify(response=newest.text.value)


if __name__ == "__main__":
    client = app.test_client()
    threads = {client.post("/threads").get_json()["thread_id"], "thread_of_yesterday"}
    for number in range(TURNS):
        assert (
            client.post("/chat", json={"thread_id": sorted(threads)[number % 2], "message": f"hi {number}"}).status_code == 200
        )
    books.truth.update(messages_sent=TURNS, messages_received=TURNS, active_conversations=2)
    books.report()
