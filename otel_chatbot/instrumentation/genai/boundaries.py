"""The outer calls of clients that try again by themselves: one call of the application is one AI call, however often it is sent.

Fed by `genai.hooks`, which wraps the methods of the table below when their library is imported; feeds `genai.call`. A boundary
knows nothing of the request: the first attempt that a transport sees begins the call, further ones join it, and the boundary
ends it with the exception that the application gets.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..._clock import perf_counter
from ..._guard import report
from ...metrics import record
from ...semconv.attributes import GenAiProvider
from ..common.patching import Method, Patches
from . import blocks
from .call import Call

if TYPE_CHECKING:
    from .recognise import Found
    from .wire_call import WireCall

_current: ContextVar[Boundary | None] = ContextVar("otel_chatbot_ai_boundary", default=None)


class Client(NamedTuple):
    """Whose method is a boundary. `provider`: what the client's name says of it, where the address says nothing."""

    library: str = ""
    provider: str | None = None
    ignored: bool = False
    """Whether the user has switched this client's instrumentation off."""


NOBODY: Final = Client()
"""A boundary that is no client's: one of `genai.transports`."""


class Boundary:
    """One outer call of a client."""

    call: Call | None = None
    found: Found | None = None
    wire_call: WireCall | None = None
    inside = True

    def __init__(self, client: Client) -> None:
        self.client = client
        self.started = perf_counter()
        self._outer = _current.get()
        _current.set(self)

    def step_out(self) -> None:
        """The client's method does not run now."""
        if _current.get() is self:
            _current.set(self._outer)

    def leave(self, error: BaseException | None = None) -> None:
        """The client's method has returned, or raised this."""
        try:
            if _current.get() is self:
                _current.set(self._outer)
            self.inside = False
            call, wire_call = self.call, self.wire_call
            if call is None:
                return
            if error is not None:
                call.end(error)
            elif wire_call is None:
                call.end()
            elif wire_call.over:
                wire_call.settle(wire_call.error)
        except Exception as fault:
            report("leaving the method of a client", fault)


current: Final[Callable[[], Boundary | None]] = _current.get
"""The boundary in which this code runs."""


def enter(client: Client = NOBODY) -> Boundary | None:
    """Enter a client's method; None where it is a part of another call, or the package's own."""
    try:
        if _current.get() is not None or record.is_own_traffic():
            return None
        if blocks.entered() is not None and blocks.current() is not None:
            return None
        return Boundary(client)
    except Exception as fault:
        report("entering the method of a client", fault)
        return None


def following(client: Client) -> Callable[[Method], Method]:
    """Make a method that is a boundary."""

    def make(original: Method) -> Method:
        def call(*args: Any, **kwargs: Any) -> Any:
            boundary = enter(client)
            if boundary is None:
                return original(*args, **kwargs)
            try:
                answer = original(*args, **kwargs)
            except BaseException as error:
                boundary.leave(error)
                raise
            boundary.leave()
            # The method of google.api_core is one for both: in asyncio it has only made what will ask.
            return _within(answer, client) if type(answer) is CoroutineType else answer

        return call

    return make


async def _within(asking: Coroutine[Any, Any, Any], client: Client) -> Any:
    """A coroutine that is a boundary."""
    boundary = enter(client)
    if boundary is None:
        return await asking
    try:
        answer = await asking
    except BaseException as error:
        boundary.leave(error)
        raise
    boundary.leave()
    return answer


def following_async(client: Client) -> Callable[[Method], Method]:
    """Make an asynchronous method that is a boundary."""

    def make(original: Method) -> Method:
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await _within(original(*args, **kwargs), client)

        return call

    return make


@dataclass(frozen=True)
class Row:
    """A method that is a boundary; without an owner, a function of the module.

    `library`: whose import makes it be wrapped. Of several modules, those that are there count.
    """

    library: str
    modules: tuple[str, ...]
    owner: str
    method: str
    provider: GenAiProvider | None = None
    is_async: bool = False


_MISTRAL: Final = ("mistralai.client.basesdk", "mistralai.basesdk")
"""`mistralai` itself is a namespace, whose import says nothing."""
_LITELLM: Final = ("completion", "text_completion", "embedding", "responses")
_GOOGLE: Final = ("google.genai._api_client",)
_COHERE: Final = ("cohere.core.http_client",)
_LANGCHAIN_MISTRAL: Final = "langchain_mistralai.chat_models"
"""Has no client below it: it sends with httpx, and repeats what failed to connect (`create_base_retry_decorator`)."""
ROWS: Final = (
    *(Row(name, (name,), "BaseSDK", "do_request", GenAiProvider.MISTRAL) for name in _MISTRAL),
    *(Row(name, (name,), "BaseSDK", "do_request_async", GenAiProvider.MISTRAL, is_async=True) for name in _MISTRAL),
    Row("google.genai", _GOOGLE, "BaseApiClient", "_request"),
    Row("google.genai", _GOOGLE, "BaseApiClient", "_async_request", is_async=True),
    Row("cohere", _COHERE, "HttpClient", "request", GenAiProvider.COHERE),
    Row("cohere", _COHERE, "AsyncHttpClient", "request", GenAiProvider.COHERE, is_async=True),
    Row(_LANGCHAIN_MISTRAL, (_LANGCHAIN_MISTRAL,), "ChatMistralAI", "completion_with_retry", GenAiProvider.MISTRAL),
    Row(_LANGCHAIN_MISTRAL, (_LANGCHAIN_MISTRAL,), "", "acompletion_with_retry", GenAiProvider.MISTRAL, is_async=True),
    Row("botocore.client", ("botocore.client",), "BaseClient", "_make_api_call"),
    *(Row("litellm", ("litellm",), "", name) for name in _LITELLM),
    *(Row("litellm", ("litellm",), "", f"a{name}", is_async=True) for name in _LITELLM),
    Row("google.api_core.gapic_v1.method", ("google.api_core.gapic_v1.method",), "_GapicCallable", "__call__"),
)
"""The clients' own retries stand in these methods; private ones because there is no public method below all interfaces of a client."""


def wrap(library: str, patches: Patches, *, ignored: bool) -> None:
    """Make the methods of a library that is imported boundaries."""
    for row in ROWS:
        if row.library != library:
            continue
        for name in row.modules:
            module = _module(name)
            owner = getattr(module, row.owner, None) if row.owner else module
            if owner is not None:
                provider = None if row.provider is None else row.provider.value
                make = following_async if row.is_async else following
                patches.wrap(owner, row.method, make(Client(library, provider, ignored)))


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)  # a part of the library that its own import has loaded
    except ImportError:
        return None
