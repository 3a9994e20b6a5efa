"""Calls of models that an application sends with requests: one call of it is one AI call, whatever redirects and retries it takes.

Fed by `Session.request` and `Session.send`; feeds `genai.boundaries`. The bytes are read by the transport of urllib3, below.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from ...._guard import never_raise
from ...common.patching import Method, Patches
from .. import boundaries, wire_call
from ..boundaries import Boundary
from ..call import Call
from ..recognise import Place, asks_none, may_ask

_POST: Final = ("POST", "post")


def instrument(module: ModuleType, patches: Patches) -> None:
    """Follow the calls of the module's sessions."""
    patches.wrap(module.Session, "request", _asking)
    patches.wrap(module.Session, "send", _sending)


def _asking(original: Method) -> Method:
    def request(self: Any, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
        boundary = _enter(url) if method in _POST and not asks_none(url) and may_ask(url) else None
        if boundary is None:
            return original(self, method, url, *args, **kwargs)
        # Begun here already: the spans of others for the HTTP request are to be below the model's.
        call = _begin(boundary, url, kwargs.get("json") or kwargs.get("data") or (args[1] if len(args) > 1 else None))
        try:
            if call is None:
                response = original(self, method, url, *args, **kwargs)
            else:
                with call.around():
                    response = original(self, method, url, *args, **kwargs)
        except BaseException as error:
            boundary.leave(error)
            raise
        boundary.leave()
        return response

    return request


def _sending(original: Method) -> Method:
    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        url = request.url
        boundary = _enter(url) if request.method == "POST" and not asks_none(url) and may_ask(url) else None
        if boundary is None:
            return original(self, request, **kwargs)
        try:
            response = original(self, request, **kwargs)
        except BaseException as error:
            boundary.leave(error)
            raise
        boundary.leave()
        return response

    return send


@never_raise
def _enter(url: Any) -> Boundary | None:
    return boundaries.enter(None) if isinstance(url, str) else None


@never_raise
def _begin(boundary: Boundary, url: str, said: Any) -> Call | None:
    parts = urlsplit(url)
    port = parts.port if parts.port not in (80, 443) else None
    place = Place(parts.hostname or "", port, parts.path or "/", parts.scheme)
    body = said.encode() if isinstance(said, str) else said
    if not isinstance(body, (bytes, Mapping)):
        return None
    found = wire_call.find(place, lambda: body, boundary)
    return None if found is None else wire_call.begin_call(found, boundary)
