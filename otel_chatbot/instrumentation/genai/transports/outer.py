"""A call that begins where the application asks, above the place where its bytes are seen: in `requests` and `urllib.request`.

Fed by these transports; feeds `genai.boundaries` and `genai.wire_call`. The spans of others for the HTTP request are then below
the model's, and redirects and repeated attempts are one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlsplit

from ...._guard import never_raise
from .. import blocks, boundaries, wire_call
from ..boundaries import Boundary
from ..call import Call
from ..recognise import Place


def ask(url: Any, said: Any, send: Callable[[], Any], answered: tuple[type[BaseException], ...] = ()) -> Any:
    """Send a POST that may ask a model, as one call. `answered`: exceptions that stand for an answer, whose status is known."""
    outer = boundaries.current()
    boundary = outer or _enter(url)
    if boundary is None or boundary.client.ignored:
        return send()
    call = boundary.call or _begin(boundary, url, said)
    try:
        with nullcontext() if call is None else call.around():
            answer = send()
    except BaseException as error:
        if outer is None:
            boundary.leave(None if isinstance(error, answered) else error)
        raise
    if outer is None:
        boundary.leave()
    return answer


@never_raise
def _enter(url: Any) -> Boundary | None:
    return boundaries.enter() if isinstance(url, str) else None


@never_raise
def _begin(boundary: Boundary, url: str, said: Any) -> Call | None:
    parts = urlsplit(url)
    try:
        port = parts.port if parts.port not in (80, 443) else None
    except ValueError:  # no number: the library itself refuses such an address
        return None
    place = Place(parts.hostname or "", port, parts.path or "/", parts.scheme)
    body = said.encode() if isinstance(said, str) else said
    if blocks.current() is not None or not isinstance(body, (bytes, Mapping)):
        return None
    found = wire_call.find(place, lambda: body, boundary)
    return None if found is None else wire_call.begin_call(found, boundary)
