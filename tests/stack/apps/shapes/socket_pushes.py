"""A chatbot over Socket.IO, which pushes the messages of a room into the array of one document."""

from __future__ import annotations

import os
import threading
import time

import socketio
from flask import Flask
from flask_socketio import SocketIO, emit
from sixteen import TURNS, Books, ask_openai

app = Flask(__name__)
events = SocketIO(app, async_mode="threading")
books = Books(app)
rooms = books.database().chat_rooms


@events.on("user_message")
def user_message(data):
    room, text = data["room"], data["text"]
    rooms.update_one({"room": room}, {"$push": {"messages": {"sender": "user", "text": text}}}, upsert=True)
    answer = ask_openai(text)
    rooms.update_one({"room": room}, {"$push": {"messages": {"sender": "bot", "text": answer}}})
    emit("bot_message", {"text": answer})


if __name__ == "__main__":
    port = int(os.environ["PORT"])
    serve = {"host": "127.0.0.1", "port": port, "allow_unsafe_werkzeug": True}
    threading.Thread(target=events.run, args=(app,), kwargs=serve, daemon=True).start()
    client, answered = socketio.SimpleClient(), 0
    deadline = time.monotonic() + 60
    while not client.connected:
        try:
            client.connect(f"http://127.0.0.1:{port}", transports=["polling"])
        except socketio.exceptions.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    for number in range(TURNS):
        client.emit("user_message", {"room": f"r{number % 2}", "text": f"hello {number}"})
        answered += client.receive(timeout=60)[0] == "bot_message"
    client.disconnect()
    assert answered == TURNS
    books.truth.update(messages_sent=TURNS, messages_received=TURNS, conversations_created=2)
    books.report()
