"""A chatbot with langchain's history in MongoDB, whose commands are written by hand here, and a model of Ollama's by REST.

With LANGCHAIN set it is langchain itself that keeps the messages' form.
"""

from __future__ import annotations

import json
import os
import uuid

import requests
from flask import Flask, jsonify, request, session
from sixteen import MODEL, TURNS, Books

app = Flask(__name__)
app.secret_key = "key"
books = Books(app)
store = books.database().message_store


class History:
    """As `MongoDBChatMessageHistory`: a document per message, its form as JSON."""

    def __init__(self, session_id):
        self.session_id = session_id
        store.create_index("SessionId")

    def messages(self):
        return [json.loads(one["History"]) for one in store.find({"SessionId": self.session_id})]

    def add(self, kind, text):
        store.insert_one({"SessionId": self.session_id, "History": json.dumps(form(kind, text))})


def form(kind, text):
    if os.environ.get("LANGCHAIN"):
        from langchain_core.messages import AIMessage, HumanMessage, message_to_dict

        return message_to_dict((HumanMessage if kind == "human" else AIMessage)(content=text))
    data = {"content": text, "additional_kwargs": {}, "response_metadata": {}, "type": kind, "name": None, "id": None}
    return {"type": kind, "data": data}


@app.post("/chat")
def chat():
    history = History(session.setdefault("session_id", uuid.uuid4().hex))
    text = request.form["message"]
    prompt = "\n".join(one["data"]["content"] for one in [*history.messages(), form("human", text)])
    asked = {"model": "llama3.2", "prompt": prompt, "stream": False}
    answer = requests.post(f"{MODEL}/api/generate", json=asked, timeout=60).json()["response"]
    history.add("human", text)
    history.add("ai", answer)
    return jsonify(reply=answer)


if __name__ == "__main__":
    clients = [app.test_client() for _ in range(3)]
    for number in range(TURNS):
        assert clients[number % 3].post("/chat", data={"message": f"hello {number}"}).status_code == 200
    books.truth.update(messages_sent=TURNS, messages_received=TURNS, active_users=3, active_conversations=3)
    books.report()
