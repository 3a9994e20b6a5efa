"""Calls of models that an application sends with requests: one call of it is one AI call, whatever redirects and retries it takes.

Fed by `Session.request` and `Session.send`; feeds `genai.transports.outer`. The bytes are read by the transport of urllib3, below.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

from ...common.patching import Method, Patches
from ..recognise import asks_none, may_ask
from . import outer

_POST: Final = ("POST", "post")


def instrument(module: ModuleType, patches: Patches) -> None:
    """Follow the calls of the module's sessions."""
    patches.wrap(module.Session, "request", _asking)
    patches.wrap(module.Session, "send", _sending)


def _asking(original: Method) -> Method:
    def request(self: Any, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
        if method not in _POST or asks_none(url) or not may_ask(url):
            return original(self, method, url, *args, **kwargs)
        said = _said(kwargs.get("data") or (args[1] if len(args) > 1 else None), kwargs.get("json"))
        return outer.ask(url, said, lambda: original(self, method, url, *args, **kwargs))

    return request


def _said(data: Any, parsed: Any) -> Any:
    return (data or parsed) if data is None or isinstance(data, (str, bytes)) else None  # not a form


def _sending(original: Method) -> Method:
    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        url = request.url
        if request.method != "POST" or asks_none(url) or not may_ask(url):
            return original(self, request, **kwargs)
        return outer.ask(url, request.body, lambda: original(self, request, **kwargs))

    return send
