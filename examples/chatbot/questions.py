"""Checks what clients send: JSON goes in, a `Question` or an `Import` comes out, or a 400 that says what is wrong."""

import re
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

ANONYMOUS = "anonymous"
LONGEST_MESSAGE = 8000
LONGEST_USER_ID = 128
MOST_IMPORTED = 500
MODEL_NAME = re.compile(r"[A-Za-z0-9][\w.:/@-]{0,99}")


@dataclass(frozen=True)
class Question:
    """One message of a person, with its user and conversation."""

    message: str
    user_id: str
    conversation_id: ObjectId | None
    model: str | None

    @classmethod
    def from_request(cls, request: Request) -> "Question":
        body = json_object(request)
        conversation_id = body.get("conversation_id")
        return cls(
            message=text("message", body.get("message"), LONGEST_MESSAGE),
            user_id=user(body.get("user_id")),
            conversation_id=None if conversation_id is None else conversation_key(conversation_id),
            model=model_name(body.get("model")),
        )


@dataclass(frozen=True)
class Import:
    """A conversation that took place elsewhere."""

    user_id: str
    messages: list[tuple[str, str]]

    @classmethod
    def from_request(cls, request: Request) -> "Import":
        body = json_object(request)
        messages = body.get("messages")
        if not isinstance(messages, list) or not 1 <= len(messages) <= MOST_IMPORTED:
            raise BadRequest(f"messages must be a list of 1 to {MOST_IMPORTED} messages")
        return cls(user_id=user(body.get("user_id")), messages=[role_and_content(message) for message in messages])


def json_object(request: Request) -> dict[str, Any]:
    try:
        body = request.get_json()
    except RequestEntityTooLarge:
        raise
    except UnsupportedMediaType:
        raise BadRequest("The body must be JSON, sent as application/json") from None
    except BadRequest:
        raise BadRequest("The body is not valid JSON") from None
    except RecursionError:
        raise BadRequest("The JSON is nested too deeply") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object")
    return body


def text(name: str, value: Any, longest: int) -> str:
    if value is None:
        raise BadRequest(f"{name} is missing")
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a string")
    value = value.strip()
    if not value:
        raise BadRequest(f"{name} is empty")
    if len(value) > longest:
        raise BadRequest(f"{name} is longer than {longest} characters")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: valid JSON, but no text that a database could keep
        raise BadRequest(f"{name} is not valid Unicode text") from None
    return value


def user(value: Any) -> str:
    return ANONYMOUS if value is None else text("user_id", value, LONGEST_USER_ID)


def model_name(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not MODEL_NAME.fullmatch(value):
        raise BadRequest("model must be the name of a model")
    return value


def conversation_key(value: Any) -> ObjectId:
    if not isinstance(value, str) or not ObjectId.is_valid(value):
        raise BadRequest("conversation_id must be 24 hexadecimal digits")
    return ObjectId(value)


def role_and_content(message: Any) -> tuple[str, str]:
    if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
        raise BadRequest('each message must be an object with a role, "user" or "assistant", and a content')
    return message["role"], text("content", message.get("content"), LONGEST_MESSAGE)
