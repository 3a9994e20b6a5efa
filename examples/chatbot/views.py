"""The chatbot's pages and its JSON: a request goes in, MongoDB and the model are asked, JSON or server-sent events come out.

There is no login: everybody who knows a conversation's id can read it. Put your own login in front.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from flask import Blueprint, Response, current_app, jsonify, request
from pymongo.errors import PyMongoError
from werkzeug.exceptions import NotFound

from answers import Answers, AnswerStream
from conversations import Conversations
from models import Messages, ModelError
from questions import Import, Question, conversation_key, user

log = logging.getLogger("chatbot.views")
views = Blueprint("views", __name__)

REMEMBERED = 20
"""The number of earlier messages of a conversation that the model gets."""

MODEL_FAILED = "The model did not answer. Your message is kept: please try again."
BROKEN_OFF = "The model broke off in the middle of its answer."
NOT_SAVED = "The answer could not be saved."


@dataclass(frozen=True)
class Turn:
    """One question in its conversation, with the messages for the model."""

    conversation_id: ObjectId
    messages: Messages
    model: str | None


@views.get("/")
def page() -> Response:
    response = current_app.send_static_file("index.html")
    response.headers["Content-Security-Policy"] = "default-src 'self'; img-src 'self' data:"
    return response


@views.post("/chat")
def chat() -> tuple[Response, int] | Response:
    turn = begin(Question.from_request(request))
    try:
        answer = answers().ask(turn.messages, turn.model)
    except ModelError as error:
        return model_failed(turn, error)
    conversations().add(turn.conversation_id, "assistant", answer.text, model=answer.model, cached=answer.cached)
    log.info("Answered", extra={"conversation_id": str(turn.conversation_id), "model": answer.model, "cached": answer.cached})
    return jsonify(response=answer.text, conversation_id=str(turn.conversation_id), cached=answer.cached)


@views.post("/chat/stream")
def chat_stream() -> tuple[Response, int] | Response:
    turn = begin(Question.from_request(request))
    try:
        stream = answers().stream(turn.messages, turn.model)
    except ModelError as error:
        return model_failed(turn, error)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the latter is for nginx
    return Response(events(turn, stream, conversations()), mimetype="text/event-stream", headers=headers)


@views.get("/conversations")
def list_conversations() -> Response:
    found = conversations().of_user(user(request.args.get("user_id")))
    return jsonify(conversations=[shown(conversation) for conversation in found])


@views.post("/conversations")
def import_conversation() -> tuple[Response, int]:
    imported = Import.from_request(request)
    conversation_id = conversations().create(imported.user_id, imported.messages[0][1])
    conversations().add_many(conversation_id, imported.messages)
    return jsonify(conversation_id=str(conversation_id)), 201


@views.get("/conversations/<conversation_id>")
def read_conversation(conversation_id: str) -> Response:
    key = conversation_key(conversation_id)
    conversation = conversations().find(key) or not_found()
    return jsonify(**shown(conversation), messages=[shown(message) for message in conversations().messages(key)])


@views.delete("/conversations/<conversation_id>")
def delete_conversation(conversation_id: str) -> tuple[str, int]:
    if not conversations().delete(conversation_key(conversation_id)):
        not_found()
    return "", 204


def begin(question: Question) -> Turn:
    """Keep the question, and load the messages before it."""
    history: list[dict[str, Any]] = []
    conversation_id = question.conversation_id
    if conversation_id is None:
        conversation_id = conversations().create(question.user_id, question.message)
    elif conversations().touch(conversation_id):
        history = conversations().latest(conversation_id, REMEMBERED)
    else:
        not_found()
    conversations().add(conversation_id, "user", question.message)
    said = [{"role": message["role"], "content": message["content"]} for message in history]
    return Turn(conversation_id, [*said, {"role": "user", "content": question.message}], question.model)


def events(turn: Turn, stream: AnswerStream, kept_in: Conversations) -> Iterator[str]:
    """The answer as server-sent events: `start`, many `delta`, then `done` or `error`.

    A whole answer is kept at its end. If an answer breaks off (the model failed, or the reader left), the part that has
    arrived is kept and marked `interrupted`; if nothing has arrived, nothing is kept.
    """
    conversation_id = str(turn.conversation_id)
    text = ""

    def kept(**details: bool) -> bool:
        try:
            if text:
                kept_in.add(turn.conversation_id, "assistant", text, model=stream.model, cached=stream.cached, **details)
        except PyMongoError as error:
            log.exception("The database failed: %s", type(error).__name__)
            return False
        return True

    try:
        yield event("start", conversation_id=conversation_id)
        with closing(stream.pieces) as pieces:
            for piece in pieces:
                text += piece
                yield event("delta", text=piece)
    except GeneratorExit:
        log.info("The reader left in the middle of an answer", extra={"conversation_id": conversation_id})
        kept(interrupted=True)
        raise
    except Exception as error:  # a connection that breaks raises what the client, or its HTTP library, raises
        log.warning("The model broke off: %s", type(error).__name__, extra={"conversation_id": conversation_id})
        kept(interrupted=True)
        yield event("error", error=BROKEN_OFF)
        return
    if not kept():
        yield event("error", error=NOT_SAVED)
        return
    log.info("Answered", extra={"conversation_id": conversation_id, "model": stream.model, "cached": stream.cached})
    yield event("done", conversation_id=conversation_id, response=text, cached=stream.cached)


def event(name: str, **data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def model_failed(turn: Turn, error: ModelError) -> tuple[Response, int]:
    log.warning("The model failed: %s", error, extra={"conversation_id": str(turn.conversation_id)})
    return jsonify(error=MODEL_FAILED, conversation_id=str(turn.conversation_id)), 502


def not_found() -> Any:
    raise NotFound("There is no such conversation")


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """A document as JSON: its id as text, its times in ISO 8601."""
    known = {"conversation_id" if "title" in document else "message_id": str(document["_id"])}
    for key, value in document.items():
        if key not in ("_id", "conversation_id"):
            known[key] = value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
    return known


def conversations() -> Conversations:
    return current_app.extensions["conversations"]


def answers() -> Answers:
    return current_app.extensions["answers"]
