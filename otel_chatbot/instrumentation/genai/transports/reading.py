"""What the transports share that follow an answer by replacing its reading methods: `http.client` and urllib3.

The response's class is replaced by one of the same name whose methods are ours; what they read goes to the `WireCall`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from ...common.patching import Method
from .. import runs
from ..wire_call import WireCall

_READER: Final = "_otel_chatbot_reader"


class Reader:
    """Reads along on one response. It holds no reference to it: a response that is thrown away goes at once, as without us.

    As a context, it is the block in which a method runs that may call others; an exception in it ends the answer.
    """

    def __init__(self, wire_call: WireCall | runs.Poll) -> None:
        self.wire_call = wire_call
        self.inside = False
        """Whether one of the methods runs: those that it calls are not followed."""

    def __enter__(self) -> None:
        self.inside = True

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.inside = False
        if error is not None:
            self.wire_call.fail(error)

    def __del__(self) -> None:
        self.wire_call.abandon()


def reader_of(response: Any) -> Reader:
    """Who reads along on a response."""
    return vars(response)[_READER]  # type: ignore[no-any-return]


def read_along(response: Any, reader: Reader, methods: Callable[[Any], dict[str, Method]]) -> None:
    """Replace the response's class by one with these methods, made of the class that it has."""
    vars(response)[_READER] = reader
    kind: Any = type(response)
    response.__class__ = _followed(kind, methods)


@functools.lru_cache(maxsize=32)
def _followed(kind: Any, methods: Callable[[Any], dict[str, Method]]) -> type:
    """The methods are bound as methods are: a response may have no other name, as in `urlopen(…).read()`."""
    made: dict[str, Any] = {**methods(kind), "close": _closing(kind.close)}
    return type(kind.__name__, (kind,), {**made, "__module__": kind.__module__, "__qualname__": kind.__qualname__})


def _closing(original: Method) -> Method:
    @functools.wraps(original)
    def close(self: Any) -> None:
        reader = reader_of(self)
        try:
            original(self)
        finally:
            if not reader.inside:
                reader.wire_call.closed()

    return close
