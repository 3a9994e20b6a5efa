"""Calls of models that leave through gRPC: google-generativeai's by default, Vertex's prediction service, an application's own stubs.

Fed by the callables that a channel makes and, in asyncio, by its calls; feeds `genai.wire_call` with messages as the objects that
the REST interface would have. There is no public class below all channels and interceptors, so private ones are followed.
https://github.com/grpc/grpc/blob/master/src/python/grpcio/grpc/_channel.py and grpc/aio/_call.py
"""

from __future__ import annotations

import functools
import importlib
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from ...._guard import never_raise
from ...common.patching import Method, Patches
from ..protocols.protocol import Body
from ..recognise import MOST, Place
from ..wire_call import WireCall, begin

_VERBS: Final = {
    "GenerateContent": "generateContent", "StreamGenerateContent": "streamGenerateContent", "EmbedContent": "embedContent",
    "BatchEmbedContents": "batchEmbedContents", "Predict": "predict",
}  # fmt: skip
"""The last part of the REST path by the method's name."""
_SERVICES: Final = {
    "google.ai.generativelanguage": ("GenerativeService", ("v1", "v1alpha", "v1beta", "v1beta2", "v1beta3")),
    "google.cloud.aiplatform": ("PredictionService", ("v1", "v1beta1")),
}
_METHODS: Final = {
    f"/{package}.{version}.{service}/{method}".encode(): verb
    for package, (service, versions) in _SERVICES.items()
    for version in versions
    for method, verb in _VERBS.items()
}
_OK, _CANCELLED = 0, 1
"""Numbers of statuses: https://grpc.io/docs/guides/status-codes/."""


def instrument(module: ModuleType, patches: Patches) -> None:
    """Follow the calls of the module: of `grpc._channel` those that block, of `grpc.aio._call` asyncio's."""
    if hasattr(module, "UnaryUnaryCall"):
        patches.wrap(module.UnaryUnaryCall, "__init__", _awaited)
        patches.wrap(module.UnaryStreamCall, "__init__", _awaited)
        return
    unary = module._UnaryUnaryMultiCallable
    patches.wrap(unary, "__call__", _asking)
    patches.wrap(unary, "with_call", _asking)
    patches.wrap(unary, "future", functools.partial(_returning, _await))
    for name in ("_UnaryStreamMultiCallable", "_SingleThreadedUnaryStreamMultiCallable"):
        patches.wrap(getattr(module, name), "__call__", functools.partial(_returning, _read_along))


def _asking(original: Method) -> Method:
    def call(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        wire_call = _begin(self._method, self._target, request) if self._method in _METHODS else None
        if wire_call is None:
            return original(self, request, *args, **kwargs)
        with wire_call:
            try:
                answer = original(self, request, *args, **kwargs)
            except Exception as error:
                _failed(wire_call, error)
                raise
        _whole(wire_call, answer[0] if isinstance(answer, tuple) else answer)
        return answer

    return call


def _returning(follow: Callable[[WireCall, Any], None], original: Method) -> Method:
    """A method whose answer comes after it has returned; `follow` is given what it returns."""

    def call(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        wire_call = _begin(self._method, self._target, request) if self._method in _METHODS else None
        if wire_call is None:
            return original(self, request, *args, **kwargs)
        with wire_call:
            coming = original(self, request, *args, **kwargs)
        follow(wire_call, coming)
        return coming

    return call


@never_raise
def _await(wire_call: WireCall, promise: Any) -> None:
    state = promise._state  # and not the promise itself, whose end may be that nobody holds it any more

    def ended() -> None:
        if state.code.value[0] == _OK:
            _whole(wire_call, state.response)
        else:
            _ended(wire_call, state.code.value[0])

    if not promise.add_callback(ended):
        ended()


@never_raise
def _read_along(wire_call: WireCall, stream: Any) -> None:
    state = stream._state  # and not the stream itself, which is cancelled when nobody holds it
    stream._response_deserializer = _Reader(wire_call, stream._response_deserializer)

    def ended() -> None:
        _ended(wire_call, state.code.value[0])

    if not stream.add_callback(ended):
        ended()


class _Reader:
    """Sees each message of one stream as it is made of its bytes."""

    __slots__ = ("_exchange", "_original")

    def __init__(self, wire_call: WireCall, original: Callable[[bytes], Any] | None) -> None:
        self._exchange = wire_call
        self._original = original

    def __call__(self, data: bytes) -> Any:
        try:
            message = data if self._original is None else self._original(data)
        except Exception:
            self._exchange.answer.broken = True
            raise
        self._see(message)
        return message

    def _see(self, message: Any) -> None:
        _told(self._exchange, message)


class _LastReader(_Reader):
    """The same for the one message of an answer in asyncio, which tells the end of a call before that is read."""

    __slots__ = ()

    def __call__(self, data: bytes) -> Any:
        try:
            return super().__call__(data)
        finally:
            self._exchange.finish()

    def _see(self, message: Any) -> None:
        _whole(self._exchange, message)


def _awaited(original: Method) -> Method:
    def make(self: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        wire_call = _begin_awaited(request, args, kwargs)
        if wire_call is None:
            original(self, request, *args, **kwargs)
            return
        with wire_call:
            original(self, request, *args, **kwargs)
        _follow(wire_call, self)

    return make


@never_raise
def _begin_awaited(request: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> WireCall | None:
    method = kwargs["method"] if "method" in kwargs else args[5]
    if method not in _METHODS:
        return None
    channel = kwargs["channel"] if "channel" in kwargs else args[4]
    return _begin(method, channel.target, request)


@never_raise
def _follow(wire_call: WireCall, call: Any) -> None:
    inner = call._cython_call
    streamed = hasattr(call, "__aiter__")
    call._response_deserializer = (_Reader if streamed else _LastReader)(wire_call, call._response_deserializer)

    def ended(*_: Any) -> None:
        if streamed or not inner.is_ok():
            _ended(wire_call, inner._status.code())

    # On the part below: a callback of the call itself would hold the call, which is cancelled when nobody does.
    inner.add_done_callback(ended)
    weakref.finalize(call, wire_call.call.abandon).atexit = False  # if there is no loop any more that could cancel it


@never_raise
def _begin(method: bytes, target: Any, request: Any) -> WireCall | None:
    message = _message(request)
    model = "" if message is None else getattr(message, "model", None) or getattr(message, "endpoint", "")
    host, _, port = (target.decode() if isinstance(target, bytes) else str(target)).rpartition("/")[2].rpartition(":")
    place = Place(host, int(port) if port.isdecimal() and port != "443" else None, f"/{model}:{_METHODS[method]}")
    return begin(place, lambda: _body(message))


def _message(value: Any) -> Any:
    """The protocol buffer itself, which proto-plus wraps."""
    wraps = getattr(type(value), "pb", None)
    message = wraps(value) if callable(wraps) else value
    return message if hasattr(message, "DESCRIPTOR") else None


def _body(message: Any) -> Body | None:
    """A message as the REST interface has it; of a large one nothing."""
    if message is None:
        return None
    if message.ByteSize() > MOST:
        return {}
    found: Body = importlib.import_module("google.protobuf.json_format").MessageToDict(message)
    return found


@never_raise
def _told(wire_call: WireCall, message: Any) -> None:
    wire_call.message(_body(_message(message)) or {})


@never_raise
def _whole(wire_call: WireCall, message: Any) -> None:
    wire_call.message(_body(_message(message)) or {}, whole=True)
    wire_call.finish()


@never_raise
def _failed(wire_call: WireCall, error: Exception) -> None:
    """A call that blocked has raised this. Without a status, it is the application's mistake."""
    if callable(code := getattr(error, "code", None)):
        wire_call.refused(code().name)


@never_raise
def _ended(wire_call: WireCall, status: int) -> None:
    """A call has ended with a status."""
    if status == _OK:
        wire_call.finish()
    elif status == _CANCELLED:
        wire_call.closed()
    else:
        wire_call.refused(_NAMES[status] if status < len(_NAMES) else "UNKNOWN")


_NAMES: Final = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
