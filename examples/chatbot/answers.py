"""Answers: a conversation's messages go in, text comes out, from the cache or from the model.

The model is any that an OpenAI-compatible endpoint serves. Answers are kept in Redis, or in this process's memory where
there is none, under a hash of all that the model was given.
"""

import hashlib
import json
import logging
import os
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Protocol

from cachelib import SimpleCache
from openai import OpenAI
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger("chatbot.answers")

DEFAULT_MODEL = "gpt-4o-mini"
INSTRUCTIONS = {"role": "system", "content": "You are a friendly assistant. Answer briefly and say so when you do not know."}
KEPT_SECONDS = 3600

Messages = list[dict[str, str]]


class Cache(Protocol):
    """What an answer is kept in."""

    def get(self, key: str) -> Any: ...

    def set(self, key: str, value: str) -> Any: ...


class RedisCache:
    """Answers in Redis. Without Redis a chat is slower, and nothing else: its errors end here."""

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
    """A whole answer, and where it came from."""

    text: str
    model: str
    cached: bool


@dataclass(frozen=True)
class AnswerStream:
    """An answer that arrives in pieces; the model was asked when this was made, so that its refusal is known by then."""

    pieces: Generator[str, None, None]
    model: str
    cached: bool


class Answers:
    """Asks the model, and remembers what it said."""

    def __init__(self, client: OpenAI, cache: Cache, default_model: str = DEFAULT_MODEL) -> None:
        self._client = client
        self._cache = cache
        self._default_model = default_model

    @classmethod
    def from_environment(cls) -> "Answers":
        """OPENAI_* says where the model is, REDIS_URL where Redis is."""
        if not (os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL")):
            log.warning("Set OPENAI_API_KEY, or OPENAI_BASE_URL for a model of your own: without them no chat is answered")
        client = OpenAI(
            api_key=os.environ.get("OPENAI_API_KEY") or "none",
            timeout=float(os.environ.get("OPENAI_TIMEOUT", "60")),
            max_retries=int(os.environ.get("OPENAI_MAX_RETRIES", "2")),
        )
        redis_url = os.environ.get("REDIS_URL")
        cache: Cache = RedisCache(redis_url) if redis_url else SimpleCache(threshold=1000, default_timeout=KEPT_SECONDS)
        return cls(client, cache, os.environ.get("OPENAI_MODEL") or DEFAULT_MODEL)

    def ask(self, messages: Messages, model: str | None = None) -> Answer:
        """The whole answer at once. Raises OpenAIError where the model gives none."""
        model = model or self._default_model
        key = cache_key(messages, model)
        known = self._cache.get(key)
        if known is not None:
            return Answer(known, model, cached=True)
        completion = self._client.chat.completions.create(model=model, messages=[INSTRUCTIONS, *messages])
        text = completion.choices[0].message.content or ""
        self._cache.set(key, text)
        return Answer(text, model, cached=False)

    def stream(self, messages: Messages, model: str | None = None) -> AnswerStream:
        """The answer piece by piece. Raises OpenAIError where the model refuses; so may the pieces, where it breaks off."""
        model = model or self._default_model
        key = cache_key(messages, model)
        known = self._cache.get(key)
        if known is not None:
            return AnswerStream((piece for piece in [known]), model, cached=True)
        chunks = self._client.chat.completions.create(model=model, messages=[INSTRUCTIONS, *messages], stream=True)
        return AnswerStream(self._pieces(chunks, key), model, cached=False)

    def _pieces(self, chunks: Any, key: str) -> Generator[str, None, None]:
        text = ""
        with chunks:  # closing the connection is how the model learns that nobody listens any more
            for chunk in chunks:
                piece = chunk.choices[0].delta.content
                if piece:
                    text += piece
                    yield piece
        self._cache.set(key, text)


def cache_key(messages: Messages, model: str) -> str:
    asked = json.dumps([model, INSTRUCTIONS, *messages], ensure_ascii=False)
    return "answer:" + hashlib.sha256(asked.encode()).hexdigest()
