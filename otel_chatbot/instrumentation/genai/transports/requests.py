"""Calls of models that an application sends with requests: one call of it is one AI call, whatever redirects and retries it takes.

Fed by `Session.send`, through which all of a session's methods go; feeds `genai.transports.outer`. The bytes are read by the
transport of urllib3, below.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from ...common.patching import Method, Patches
from ..recognise import asks_none, may_ask
from . import outer


def instrument(module: ModuleType, patches: Patches) -> None:
    """Follow the calls of the module's sessions."""
    patches.wrap(module.Session, "send", _sending)


def _sending(original: Method) -> Method:
    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        url = request.url
        if request.method != "POST" or asks_none(url) or not may_ask(url):
            return original(self, request, **kwargs)
        return outer.ask(url, request.body, lambda: original(self, request, **kwargs))

    return send
