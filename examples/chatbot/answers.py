"""Answers: a conversation's messages go in, text comes out, from the cache or from the model.

Answers are kept in Redis, or without Redis in this process's memory. The key is a hash of all that the model was given.
"""

import hashlib
import json
import logging
import os
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from cachelib import SimpleCache
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

import models
from models import Messages, Model, Pieces

log = logging.getLogger("chatbot.answers")

KEPT_SECONDS = 3600


class Cache(Protocol):
    """A store of answers."""

    def get(self, key: str) -> Any: ...

    def set(self, key: str, value: str) -> Any: ...


class RedisCache:
    """Answers in Redis. Its errors end here: if Redis fails, a chat is only slower."""

    def __init__(self, url: str) -> None:
        one_retry = Retry(NoBackoff(), 1)  # for a connection that Redis closed in the meantime; the default's ten take seconds
        self._redis = Redis.from_url(
            url, decode_responses=True, socket_connect_timeout=1, socket_timeout=1, retry=one_retry, health_check_interval=0
        )

    def get(self, key: str) -> str | None:
        try:
            return self._redis.get(key)
        except RedisError as error:
            log.warning("The cache could not be read: %s", type(error).__name__)
            return None

    def set(self, key: str, value: str) -> None:
        try:
            self._redis.set(key, value, ex=KEPT_SECONDS)
        except RedisError as error:
            log.warning("The cache could not be written: %s", type(error).__name__)


@dataclass(frozen=True)
class Answer:
    """A whole answer, and whether it came from the cache."""

    text: str
    model: str
    cached: bool


@dataclass(frozen=True)
class AnswerStream:
    """An answer that arrives in pieces. The model is asked before this is made, so a refusal is known before any piece."""

    pieces: Pieces
    model: str
    cached: bool


class Answers:
    """Asks the model, and remembers its answers."""

    def __init__(self, client: Model, cache: Cache, default_model: str) -> None:
        self._client = client
        self._cache = cache
        self._default_model = default_model

    @classmethod
    def from_environment(cls) -> "Answers":
        """MODEL_* says which model is asked and how (see `models`), REDIS_URL where Redis is."""
        keys = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")
        if not any(os.environ.get(key) for key in keys):
            log.warning("Set OPENAI_API_KEY, or OPENAI_BASE_URL for a model of your own: without them no chat is answered")
        client = models.from_environment()
        redis_url = os.environ.get("REDIS_URL")
        cache: Cache = RedisCache(redis_url) if redis_url else SimpleCache(threshold=1000, default_timeout=KEPT_SECONDS)
        return cls(client, cache, os.environ.get("MODEL_NAME") or client.default)

    def ask(self, messages: Messages, model: str | None = None) -> Answer:
        """The whole answer at once. Raises ModelError if the model gives none."""
        model = model or self._default_model
        key = cache_key(messages, model)
        known = self._cache.get(key)
        if known is not None:
            return Answer(known, model, cached=True)
        text = self._client.ask(model, messages)
        self._cache.set(key, text)
        return Answer(text, model, cached=False)

    def stream(self, messages: Messages, model: str | None = None) -> AnswerStream:
        """The answer piece by piece. Raises ModelError if the model refuses; the iteration raises if it breaks off."""
        model = model or self._default_model
        key = cache_key(messages, model)
        known = self._cache.get(key)
        if known is not None:
            return AnswerStream((piece for piece in [known]), model, cached=True)
        return AnswerStream(self._kept(self._client.stream(model, messages), key), model, cached=False)

    def _kept(self, pieces: Pieces, key: str) -> Pieces:
        text = ""
        with closing(pieces):
            for piece in pieces:
                text += piece
                yield piece
        self._cache.set(key, text)


def cache_key(messages: Messages, model: str) -> str:
    asked = json.dumps([model, models.INSTRUCTIONS, *messages], ensure_ascii=False)
    return "answer:" + hashlib.sha256(asked.encode()).hexdigest()
