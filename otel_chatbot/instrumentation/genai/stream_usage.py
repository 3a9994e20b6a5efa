"""Asking for the tokens of a stream, where a client's application does not and the endpoint tells them only if it is asked.

Fed by `genai.stainless` with requests before they leave and with the chunks that come; feeds nothing but the request's
`stream_options`. An endpoint is asked if its provider is known to need it, or if it has sent a whole stream unasked and told no
tokens. What an endpoint sends unasked belongs to the application; of what we asked for it sees nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from ..._guard import never_raise
from .recognise import ASKS_USAGE, Place, named, provider_of

OPTIONS: Final = "stream_options"
USAGE: Final = "include_usage"
REFUSALS: Final = frozenset({400, 422})
"""How endpoints that do not know an option answer."""
_RAW: Final = "x-stainless-raw-response"
"""The header by which these clients' own methods are asked for a raw answer (openai/_constants.py, RAW_RESPONSE_HEADER)."""
_MOST: Final = 4096


class UsageReporting(str, Enum):
    """What is known of an endpoint and a model."""

    TELLS = "tells"
    SILENT = "silent"
    REFUSES = "refuses"


_habits: dict[tuple[str, str], UsageReporting] = {}


class StreamOptions:
    """A request of a stream. `options`: what to send in place of the client's own, None if that is to go as it is."""

    __slots__ = ("key", "options")

    def __init__(self, key: tuple[str, str], options: Any) -> None:
        self.key = key
        self.options = options

    def refused(self, error: Exception) -> bool:
        """Whether the endpoint may have refused because of what we added; it is asked again without then."""
        return self.options is not None and getattr(error, "status_code", None) in REFUSALS

    def hides(self, chunk: Any) -> bool:
        """Whether a chunk is the one that we asked for; the others do not show that we asked."""
        if getattr(chunk, "usage", None) is None:
            fields = getattr(chunk, "model_fields_set", None)
            if fields is not None:
                fields.discard("usage")  # endpoints that are asked send it as null in the chunks before
            return False
        return not getattr(chunk, "choices", None)


@never_raise
def ask(client: Any, options: Any) -> StreamOptions | None:
    """Look at a request before it leaves: None if it is no stream of chat completions whose tokens have to be asked for."""
    body = options.json_data
    if not isinstance(body, Mapping) or body.get("stream") is not True or not options.url.endswith("/completions"):
        return None
    headers = options.headers
    # What an application reads as raw bytes must not hold a line more.
    if isinstance(headers, Mapping) and any(isinstance(name, str) and name.lower() == _RAW for name in headers):
        return None
    given = body.get(OPTIONS)
    given = given if isinstance(given, Mapping) else {}
    if USAGE in given or OPTIONS in (options.extra_json or {}):
        return None
    url = client.base_url
    key = f"{url.scheme}://{url.host}:{url.port}{url.path}", str(body.get("model"))
    habit = _habits.get(key)
    if habit in (UsageReporting.TELLS, UsageReporting.REFUSES):
        return None
    if habit is None:
        place = Place(url.host, url.port, url.path.rstrip("/") + options.url, url.scheme)
        address = named(place)
        if (address.provider if address is not None else provider_of(url.host)) not in ASKS_USAGE:
            return StreamOptions(key, None)
    asking = copy.copy(options)
    asking.json_data = {**body, OPTIONS: {**given, USAGE: True}}
    return StreamOptions(key, asking)


def remember(key: tuple[str, str], habit: UsageReporting) -> None:
    """Note what an endpoint did; of very many, the first are forgotten."""
    if key not in _habits and len(_habits) >= _MOST:
        _habits.pop(next(iter(_habits)), None)
    _habits[key] = habit


def forget() -> None:
    """Forget all of it."""
    _habits.clear()
