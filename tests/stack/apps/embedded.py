"""A chatbot of another shape, for tests: an app factory with blueprints, a login by session, messages embedded in conversations.

Nothing here knows of telemetry. Conversations are documents with an array `messages`; answers come from hashes in Redis that
are read in transactions (MULTI), else from the model.
"""

import io
import os
from datetime import datetime, timezone

from bson import ObjectId
from flask import Blueprint, Flask, abort, current_app, jsonify, request, send_file, session, stream_with_context
from openai import OpenAI, OpenAIError
from pymongo import MongoClient, ReturnDocument
from redis import Redis

members = Blueprint("members", __name__)
chats = Blueprint("chats", __name__)


@members.post("/login")
def login():
    session["user_id"] = request.form["name"]
    return "", 204


@chats.post("/")
def open_chat():
    first = message("human", request.get_json()["text"])
    made = database().conversations.insert_one(
        {"owner": session.get("user_id"), "messages": [first, message("ai", "Welcome!")]}
    )
    return jsonify(id=str(made.inserted_id)), 201


@chats.post("/<conversation_id>/turns")
def turn(conversation_id):
    text = request.get_json()["text"]
    known, _ = recall(text)
    answer = known or ask(text)
    both = [message("human", text), message("ai", answer)]
    changed = database().conversations.update_one({"_id": ObjectId(conversation_id)}, {"$push": {"messages": {"$each": both}}})
    if not changed.matched_count:
        abort(404)
    if not known:
        redis().hset(f"answers:{text}", mapping={"text": answer})
    return jsonify(answer=answer, cached=bool(known))


@chats.put("/room/<name>")
def say_in_room(name):
    """A room is made by the first who says something in it."""
    said = {"$push": {"messages": message("human", request.get_json()["text"])}, "$setOnInsert": {"room": name}}
    room = database().conversations.find_one_and_update(
        {"room": name}, said, upsert=True, return_document=ReturnDocument.AFTER, projection={"messages": 1}
    )
    return jsonify(length=len(room["messages"]))


@chats.post("/<conversation_id>/close")
def close(conversation_id):
    """Changes a conversation, and says nothing in it."""
    database().conversations.update_one(
        {"_id": ObjectId(conversation_id)}, {"$set": {"closed": True}, "$push": {"tags": "closed"}}
    )
    return "", 204


@chats.get("/<conversation_id>")
def read(conversation_id):
    found = database().conversations.find_one({"_id": ObjectId(conversation_id)}) or abort(404)
    return jsonify(messages=[one["text"] for one in found["messages"]])


@chats.get("/<conversation_id>/export")
def export(conversation_id):
    """Streams from the database; breaks in the middle when told to."""

    def lines():
        for one in database().conversations.find({}).batch_size(2):
            yield f"{one['_id']}\n"
        if request.args.get("break"):
            raise RuntimeError("the printer is on fire")

    return stream_with_context(lines()), {"Content-Type": "text/plain"}


@chats.get("/<conversation_id>/file")
def as_file(conversation_id):
    return send_file(io.BytesIO(b"x" * 100_000), mimetype="application/octet-stream")


@chats.delete("/<conversation_id>")
def forget(conversation_id):
    raise LookupError(conversation_id)  # nobody handles it


def recall(text):
    with redis().pipeline(transaction=True) as pipe:
        pipe.hget(f"answers:{text}", "text")
        pipe.get("greeting")
        return pipe.execute()


def ask(text):
    try:
        reply = current_app.extensions["model"].chat.completions.create(
            model="gpt-4.1-mini", messages=[{"role": "user", "content": text}]
        )
    except OpenAIError:
        abort(502)
    return reply.choices[0].message.content


def message(role, text):
    return {"role": role, "text": text, "at": datetime.now(timezone.utc)}


def database():
    return current_app.extensions["mongo"].get_default_database("bot")


def redis():
    return current_app.extensions["redis"]


def create_app():
    app = Flask(__name__, static_folder=None)
    app.secret_key = "for tests"
    app.extensions["mongo"] = MongoClient(os.environ["MONGODB_URI"], connect=False)
    app.extensions["redis"] = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    app.extensions["model"] = OpenAI(max_retries=0)
    app.register_blueprint(members, url_prefix="/members")
    app.register_blueprint(chats, url_prefix="/api/v2/chats")
    return app


if __name__ == "__main__":
    create_app().run(port=int(os.environ["PORT"]))
