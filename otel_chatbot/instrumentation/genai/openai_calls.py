"""Calls of the openai client, sync and async: each is one `Call`, and its answer is what it is without us.

Fed by the client's methods, which `genai.hooks` wraps; feeds `genai.call`, through `genai.stream` and `genai.raw_answers`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ..._guard import never_raise
from ...metrics import record
from ...semconv import attributes as a
from ..common.patching import Method
from . import call as genai_call
from . import read as genai_read
from . import spans, stream
from .call import Call
from .raw_answers import Read, follow_raw, is_raw
from .stream import Take

PROVIDER: Final = "openai"
_OPTIONS: Final = "stream_options"
_USAGE: Final = "include_usage"
_REFUSALS: Final = frozenset({400, 422})
"""How endpoints that do not know an option answer."""

_refusing: weakref.WeakSet[Any] = weakref.WeakSet()
"""Clients whose endpoint has refused to be asked for the usage of a stream."""


@dataclass(frozen=True)
class Api:
    """One of the client's interfaces: what its calls are, and how to read them."""

    operation: a.GenAiOperation
    asked: str
    """The argument that holds what the model is asked."""
    read: Read
    take: Take
    asks_usage: bool = False
    """Whether the tokens of a stream have to be asked for."""


CHAT: Final = Api(a.GenAiOperation.CHAT, "messages", genai_read.answer, genai_read.chat_chunk, asks_usage=True)
RESPONSES: Final = Api(a.GenAiOperation.CHAT, "input", genai_read.answer, genai_read.response_event)
EMBEDDINGS: Final = Api(a.GenAiOperation.EMBEDDINGS, "input", genai_read.answer, genai_read.nothing)

SpansElsewhere = Callable[[Any], bool]
"""Whether another tool makes the spans of this call of this resource of the client."""


class _Asked:
    """One call of the application: the method to call, its arguments, and what becomes of the answer."""

    def __init__(self, api: Api, call: Call, kwargs: dict[str, Any], client: Any) -> None:
        self.api = api
        self.call = call
        self.streamed = bool(kwargs.get("stream")) and kwargs["stream"] is True
        self.raw = is_raw(kwargs)
        # Upstream parses raw answers before the application does: it does not get to see them. What it tells, it tells a span.
        self.fills_span = not self.raw and spans.takes_more(call.span)
        """Whether upstream's method is called, which tells the span what request and answer hold."""
        self.client = client
        self.kwargs = kwargs
        self.added = False
        """Whether we ask for the usage where the application does not."""
        # What an application reads as raw bytes must not hold a line more.
        if api.asks_usage and self.streamed and not self.raw and client not in _refusing:
            options = kwargs.get(_OPTIONS)
            given = options if isinstance(options, dict) else {}
            if _USAGE not in given and _OPTIONS not in (kwargs.get("extra_body") or {}):
                self.kwargs = {**kwargs, _OPTIONS: {**given, _USAGE: True}}
                self.added = True

    def refused(self, error: Exception) -> bool:
        """Whether the endpoint may have refused because of what we added; it is asked again without then."""
        if not self.added or getattr(error, "status_code", None) not in _REFUSALS:
            return False
        self.added = False
        return True

    @never_raise
    def remember_refusal(self) -> None:
        """The endpoint has answered without what we added: do not ask it again."""
        _refusing.add(self.client)

    def answered(self, answer: Any) -> Any:
        """What the application gets in place of an answer."""
        followed = self._follow(answer)
        return answer if followed is None else followed

    @never_raise
    def _follow(self, answer: Any) -> Any:
        take = genai_read.hiding(self.api.take) if self.added else self.api.take
        if self.raw:
            follow_raw(answer, self.call, self.api.read, take, streamed=self.streamed)
            return None
        if self.streamed:
            return stream.follow(answer, self.call, take)
        self.api.read(self.call, answer)
        self.call.end()
        return None


_AGAIN: Final = object()


def following(api: Api, elsewhere: SpansElsewhere, plain: Method) -> Callable[[Method], Method]:
    """Make followed methods of the client; `plain` is the method without upstream's instrumentation."""

    def make(original: Method) -> Method:
        def create(self: Any, *args: Any, **kwargs: Any) -> Any:
            asked = _begin(api, self, kwargs, elsewhere)
            if asked is None:
                return plain.__get__(self)(*args, **kwargs)
            method = (original if asked.fills_span else plain).__get__(self)
            with asked.call.running():
                try:
                    answer = method(*args, **asked.kwargs)
                except Exception as error:
                    if not asked.refused(error):
                        raise
                    answer = _AGAIN
                if answer is _AGAIN:
                    answer = method(*args, **kwargs)
                    asked.remember_refusal()
            return asked.answered(answer)

        return create

    return make


def following_async(api: Api, elsewhere: SpansElsewhere, plain: Method) -> Callable[[Method], Method]:
    """As `following`, of the asynchronous client."""

    def make(original: Method) -> Method:
        async def create(self: Any, *args: Any, **kwargs: Any) -> Any:
            asked = _begin(api, self, kwargs, elsewhere)
            if asked is None:
                return await plain.__get__(self)(*args, **kwargs)
            method = (original if asked.fills_span else plain).__get__(self)
            with asked.call.running():
                try:
                    answer = await method(*args, **asked.kwargs)
                except Exception as error:
                    if not asked.refused(error):
                        raise
                    answer = _AGAIN
                if answer is _AGAIN:
                    answer = await method(*args, **kwargs)
                    asked.remember_refusal()
            return asked.answered(answer)

        return create

    return make


@never_raise
def _begin(api: Api, resource: Any, kwargs: dict[str, Any], elsewhere: SpansElsewhere) -> _Asked | None:
    """Begin a call, unless it is the package's own or a part of another."""
    if record.is_own_traffic() or genai_call.current() is not None:
        return None
    client = getattr(resource, "_client", None)
    model = kwargs.get("model")
    call = Call(
        PROVIDER,
        model if isinstance(model, str) else "",
        api.operation,
        getattr(client, "base_url", None),
        spans=not elsewhere(resource),
    )
    said: Any = kwargs.get(api.asked)
    if spans.captures_content() and not isinstance(said, (str, list, tuple, dict)) and hasattr(said, "__next__"):
        said = kwargs[api.asked] = list(said)  # upstream would read an iterator empty
    asked = _Asked(api, call, kwargs, client)
    if asked.streamed:  # only a stream can end without telling its tokens
        call.asked_characters = genai_read.characters(said)
    return asked
