"""Which requests ask a model: by the last part of their path, by their host, or by an address that a setting names.

Fed by the transports with method, host and path of each request that their clients send: what is no model call is let go after
one look into a table, and its body is never read. Feeds `genai.wire_call` with the protocol and the provider.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import orjson

from ... import config
from ...semconv.attributes import GenAiProvider
from ...semconv.logs import PACKAGE_LOGGER
from .protocols import (
    anthropic,
    bedrock,
    cohere,
    gemini,
    ollama,
    openai_assistants,
    openai_chat,
    openai_embeddings,
    openai_responses,
    tgi,
)
from .protocols.protocol import Body, ModelRequest, Protocol

MOST: Final = 32 * 1024 * 1024
"""Bytes of a request that are parsed; of a larger one (pictures) the model is not known."""

_logger = logging.getLogger(PACKAGE_LOGGER)

PROTOCOLS: Final[tuple[Protocol, ...]] = (
    *openai_chat.ROWS, *openai_responses.ROWS, *ollama.ROWS, *openai_embeddings.ROWS, *openai_assistants.ROWS, *anthropic.ROWS,
    *gemini.ROWS, *cohere.ROWS, *bedrock.ROWS, *tgi.ROWS,
)  # fmt: skip
_BY_NAME: Final = {protocol.name: protocol for protocol in PROTOCOLS}
_BY_TAIL: Final[dict[str, tuple[Protocol, ...]]] = {
    tail: tuple(protocol for protocol in PROTOCOLS if tail in protocol.tails)
    for tail in {tail for protocol in PROTOCOLS for tail in protocol.tails}
}
_TAILS: Final = tuple(_BY_TAIL)

_P = GenAiProvider
_HOSTS: Final = {
    "api.openai.com": _P.OPENAI, "openai.azure.com": _P.AZURE_OPENAI, "cognitiveservices.azure.com": _P.AZURE_OPENAI,
    "services.ai.azure.com": _P.AZURE_INFERENCE, "models.ai.azure.com": _P.AZURE_INFERENCE, "api.anthropic.com": _P.ANTHROPIC,
    "generativelanguage.googleapis.com": _P.GEMINI, "aiplatform.googleapis.com": _P.VERTEX, "api.mistral.ai": _P.MISTRAL,
    "codestral.mistral.ai": _P.MISTRAL, "api.groq.com": _P.GROQ, "api.x.ai": _P.XAI, "api.deepseek.com": _P.DEEPSEEK,
    "api.cohere.com": _P.COHERE, "api.cohere.ai": _P.COHERE, "api.perplexity.ai": _P.PERPLEXITY,
    "ml.cloud.ibm.com": _P.WATSONX, "openrouter.ai": _P.OPENROUTER, "api.together.xyz": _P.TOGETHER,
    "api.together.ai": _P.TOGETHER, "api.fireworks.ai": _P.FIREWORKS, "api.cerebras.ai": _P.CEREBRAS,
    "huggingface.co": _P.HUGGING_FACE, "endpoints.huggingface.cloud": _P.HUGGING_FACE, "ollama.com": _P.OLLAMA,
}  # fmt: skip
"""Providers by host; the host of a region or of a customer has more in front."""
TEXT_HOSTS: Final = ("endpoints.huggingface.cloud", "api-inference.huggingface.co")
"""Hosts at which text-generation-inference answers at any path."""
_ANY_PATH: Final = "huggingface"
"""What the names of these hosts have in common."""
ASKS_USAGE: Final = frozenset({_P.OPENAI.value, _P.AZURE_OPENAI.value, _P.DEEPSEEK.value})
"""Providers that tell a stream's tokens if they are asked, and only then."""


class Place(NamedTuple):
    """Where a request goes."""

    host: str
    port: int | None
    """None where it is the scheme's own."""
    path: str
    """With the query."""
    scheme: str = "https"

    @property
    def url(self) -> str:
        """The address, without the query."""
        return _url(self)


@functools.lru_cache(maxsize=256)
def _url(place: Place) -> str:
    port = f":{place.port}" if place.port else ""
    return f"{place.scheme}://{place.host}{port}{place.path.partition('?')[0]}"


class Address(NamedTuple):
    """A row of the setting: what is at this address."""

    host: str
    port: int | None
    path: str
    provider: str
    protocol: Protocol | None


class Found(NamedTuple):
    """A request that asks a model."""

    protocol: Protocol
    provider: str
    asked: ModelRequest
    body: Body
    place: Place
    known: bool
    """Whether host or setting tell the provider."""


@functools.lru_cache(maxsize=4)
def _addresses(rows: tuple[str, ...]) -> tuple[Address, ...]:
    found = []
    for row in rows:
        address, _, what = row.partition("=")
        provider, _, protocol = what.strip().partition(":")
        split = urlsplit(f"//{address.strip()}")
        try:
            port = split.port
        except ValueError:
            port = -1
        if not split.hostname or not provider or port == -1 or (protocol and protocol not in _BY_NAME):
            _logger.warning(
                "CHATBOT_OTEL_AI_ADDRESSES: %s is not usable; expected host[:port][/path]=provider[:protocol], protocol one of %s",
                row, ", ".join(_BY_NAME),
            )  # fmt: skip
            continue
        found.append(Address(split.hostname, port, split.path.rstrip("/"), provider, _BY_NAME.get(protocol)))
    return tuple(sorted(found, key=lambda address: -len(address.path)))


def named(place: Place) -> Address | None:
    """The row of the setting that this address is named by; of several, the one with the longest path."""
    rows = config.current().ai_addresses
    return _named(place, rows) if rows else None


@functools.lru_cache(maxsize=256)
def _named(place: Place, rows: tuple[str, ...]) -> Address | None:
    path = place.path.partition("?")[0]
    for address in _addresses(rows):
        if address.host != place.host or address.port not in (None, place.port):
            continue
        if path == address.path or path.startswith(f"{address.path}/"):
            return address
    return None


@functools.lru_cache(maxsize=256)
def provider_of(host: str) -> str | None:
    """The provider that a host belongs to."""
    while host:
        if (found := _HOSTS.get(host)) is not None:
            return found.value
        host = host.partition(".")[2]
    return None


class Unknown:
    """POSTs to addresses that are none of a model's: `genai.unseen` looks at the first ones."""

    MOST: Final = 256

    def __init__(self) -> None:
        self.let_go: set[tuple[str, str]] = set()
        """Hosts and paths that have been looked at often enough."""
        self.watched = True
        """False as soon as there are so many of them that this process looks at no further address."""

    def leave(self, host: str, path: str) -> None:
        """Look no more at this address."""
        self.let_go.add((host, path))
        self.watched = len(self.let_go) < self.MOST


UNKNOWN: Final = Unknown()


class Judged:
    """Addresses at which no model is asked: each was judged once. By host, as the transport that asks has it, or by none."""

    MOST: Final = 1024

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Judge anew."""
        self.settings: config.Settings | None = None
        self.by_host: dict[Any, set[Any]] = {}
        self._size = 0

    def note(self, address: Any, host: Any) -> None:
        """No model is asked at this address, by the settings that are current."""
        settings = config.current()
        if settings is not self.settings:
            self.forget()
            self.settings = settings
        if self._size < self.MOST:
            self._size += 1
            self.by_host.setdefault(host, set()).add(address)


JUDGED: Final = Judged()


def asks_none(address: Any, host: Any = "") -> bool:
    """Whether an address was judged before, and no model is asked there. It is what most POSTs pay, hence two looks and no more."""
    try:
        return address in JUDGED.by_host[host] and JUDGED.settings is config.current()
    except (KeyError, TypeError):
        return False


def may_ask(address: Any, host: Any = "", *, looks: bool = False) -> bool:
    """The quick test of a POST: its path with its query, and its host; or its whole address. `asks_none` is quicker where it knows.

    What is no text at all is none; whose address it is, `candidates` finds out. `looks`: true as well for what `genai.unseen` has
    still to look at.
    """
    try:
        if address.endswith(_TAILS) or "?" in address:
            path = address.partition("?")[0]
            tail = path[path.rfind("/") + 1 :]
            if tail in _BY_TAIL or tail[tail.rfind(":") + 1 :] in _BY_TAIL:
                return True
        found = (
            _ANY_PATH in (host or address)
            or bool(config.current().ai_addresses)
            or (looks and UNKNOWN.watched and (host, address) not in UNKNOWN.let_go)
        )
        if not found:
            JUDGED.note(address, host)
    except (AttributeError, TypeError):
        return False
    return found


def candidates(place: Place) -> tuple[Protocol, ...]:
    """The protocols that a request to this place may be of, by its address alone."""
    return _candidates(place, named(place))


@functools.lru_cache(maxsize=256)
def _candidates(place: Place, address: Address | None) -> tuple[Protocol, ...]:
    if address is not None and address.protocol is not None:
        return (address.protocol,)
    path = _path(place.path)
    tail = place.path.partition("?")[0].rpartition("/")[2]
    found = _BY_TAIL.get(tail.rpartition(":")[2], ())
    if not found and place.host.endswith(TEXT_HOSTS):
        return tgi.ROWS
    return tuple(protocol for protocol in found if protocol.path.search(path))


@functools.lru_cache(maxsize=256)
def _path(path: str) -> str:
    """A path as its protocol reads it: without the query and without escapes."""
    return unquote(path.partition("?")[0])


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body) if len(body) <= MOST else {}
    except ValueError:
        return None


def recognise(place: Place, protocols: tuple[Protocol, ...], body: bytes | Body, hint: str | None = None) -> Found | None:
    """The call that a request to this place is, with this body. `hint`: the provider, as the client's name has it."""
    parsed = _parsed(body) if isinstance(body, bytes) else body
    if type(parsed) is not dict and not isinstance(parsed, Mapping):
        return None
    provider, known, path = _told_by(place, named(place), hint)
    for protocol in protocols:
        if all(map(parsed.__contains__, protocol.keys)) or (known and not parsed):
            told = provider or protocol.provider._value_
            return Found(protocol, told, protocol.request(parsed, path), parsed, place, known)
    return None


@functools.lru_cache(maxsize=256)
def _told_by(place: Place, address: Address | None, hint: str | None) -> tuple[str | None, bool, str]:
    """What a place alone tells: the provider, whether host or setting say so, and the path as its protocol reads it."""
    path = _path(place.path)
    provider = provider_of(place.host) if address is None else address.provider
    if provider is not None:
        return provider, True, path
    return hint or (_P.AZURE_OPENAI.value if "/openai/deployments/" in path else None), False, path
