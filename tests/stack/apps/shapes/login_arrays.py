"""A chatbot with accounts: it reads a chat, appends to its list and sets the whole list; one of its model's answers fails."""

from __future__ import annotations

import flask_login
from flask import Flask, jsonify, request
from sixteen import TURNS, Books, ask_openai

app = Flask(__name__)
app.secret_key = "key"
books = Books(app)
db = books.database()
logins = flask_login.LoginManager(app)


class User(flask_login.UserMixin):
    def __init__(self, name):
        self.id = name


@logins.user_loader
def load(name):
    return User(name) if db.users.find_one({"username": name}) else None


@app.post("/register")
def register():
    name = request.form["username"]
    db.users.insert_one({"username": name, "password": "hash"})
    flask_login.login_user(User(name))
    return "", 204


@app.post("/send")
@flask_login.login_required
def send():
    owner = flask_login.current_user.get_id()
    chat = db.chats.find_one({"user": owner}) or {"user": owner, "chat_history": []}
    history = chat["chat_history"]
    history.append({"role": "user", "content": request.form["message"]})
    history.append({"role": "assistant", "content": ask_openai(request.form["message"])})
    db.chats.update_one({"user": owner}, {"$set": {"chat_history": history}}, upsert=True)
    return jsonify(history[-1])


if __name__ == "__main__":
    clients = [app.test_client() for _ in range(3)]
    for number, client in enumerate(clients):
        assert client.post("/register", data={"username": f"user{number}"}).status_code == 204
    assert app.test_client().post("/send", data={"message": "let me in"}).status_code == 401
    for number in range(TURNS):
        assert clients[number % 3].post("/send", data={"message": f"hello {number}"}).status_code == 200
    assert clients[0].post("/send", data={"message": "wires:fails:x"}).status_code == 500
    books.truth.update(messages_sent=TURNS, messages_received=TURNS, conversations_created=3, active_users=3, errors=1)
    books.truth["active_conversations"] = 3
    books.report()
