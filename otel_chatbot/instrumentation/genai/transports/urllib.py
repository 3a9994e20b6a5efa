"""Calls of models through `urllib.request`, where upstream's instrumentation of it is used: the call begins above that.

Fed by `OpenerDirector.open`, which is left alone otherwise; feeds `genai.transports.outer`. The bytes are read by the transport
of `http.client`, below.
"""

from __future__ import annotations

from typing import Any
from urllib.error import HTTPError

from ...._guard import never_raise
from ...common.patching import Method, Patches
from ..recognise import may_ask
from . import outer


def instrument(openers: type, patches: Patches) -> None:
    """Follow the calls of openers."""
    patches.wrap(openers, "open", _opening)


def _opening(original: Method) -> Method:
    def open(self: Any, fullurl: Any, data: Any = None, *args: Any, **kwargs: Any) -> Any:  # noqa: A001 - the method's name
        asked = _asked(fullurl, data)
        if asked is None or not may_ask(asked[0]):
            return original(self, fullurl, data, *args, **kwargs)
        return outer.ask(*asked, lambda: original(self, fullurl, data, *args, **kwargs), (HTTPError,))

    return open


@never_raise
def _asked(request: Any, data: Any) -> tuple[str, Any] | None:
    """Where a POST goes, and what it says."""
    if isinstance(request, str):
        return None if data is None else (request, data)
    if data is None and request.get_method() != "POST":
        return None
    return request.full_url, request.data if data is None else data
