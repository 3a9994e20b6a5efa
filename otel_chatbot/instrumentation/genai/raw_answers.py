"""Raw answers of the openai client (`with_raw_response`, `with_streaming_response`): followed without touching a byte.

Fed by `genai.openai_calls`; feeds `genai.call.Call`. The object that the application gets is the client's own; what it is told to
parse is read along. Bytes that the application reads by itself are not looked at: such a call has times, but no tokens.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

from .call import Call
from .stream import Reader, Take, follow, watch

HEADER: Final = "X-Stainless-Raw-Response"
"""The header by which the client's own methods are asked for a raw answer (openai/_constants.py)."""

Read = Callable[[Call, Any], None]
"""Tells a call what a whole answer holds."""


def is_raw(kwargs: dict[str, Any]) -> bool:
    """Whether the client is asked for a raw answer."""
    headers = kwargs.get("extra_headers")
    return isinstance(headers, dict) and HEADER in headers


def follow_raw(raw: Any, call: Call, read: Read, take: Take, *, streamed: bool) -> None:
    """Read along what the application parses out of a raw answer; the call ends when the answer has been read or closed."""
    response = raw.http_response
    if response.is_closed and not streamed:  # the client has read it all before it returned
        parsed = raw.parse()
        read(call, parsed)
        call.end()
        return
    reader = Reader(call)
    watch(response, reader)
    parse = raw.parse
    followed: list[Any] = []

    def told(parsed: Any) -> Any:
        if not streamed:
            read(call, parsed)
            call.end()
            return parsed
        if not hasattr(parsed, "response"):
            return parsed
        if not followed:  # the client keeps one stream a response
            followed.append(follow(parsed, call, take))
        return followed[0]

    @functools.wraps(parse)
    def parsing(*args: Any, **kwargs: Any) -> Any:
        with reader:
            parsed = parse(*args, **kwargs)
        return later(parsed) if inspect.isawaitable(parsed) else told(parsed)

    async def later(parsed: Any) -> Any:
        with reader:
            found = await parsed
        return told(found)

    raw.parse = parsing
