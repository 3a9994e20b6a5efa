"""Calls of models through the standard library. Nearly every process imports `http.client`: the rest is loaded at its first POST.

Fed by the distribution, at once in most processes; feeds `genai.transports.http_client`, by way of `genai.hooks`.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

from ..._guard import never_raise
from ..common.patching import Method, Patches

_patches: Final = Patches()


def instrument(library: str, *, ignored: bool = False) -> None:
    """Wait for the first POST of the library's connections."""
    if not ignored:
        _patches.wrap(sys.modules[library].HTTPConnection, "request", _waiting)


def _waiting(original: Method) -> Method:
    waits = True

    def request(self: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        nonlocal waits
        if method != "POST" or not waits:
            return original(self, method, *args, **kwargs)
        waits = False
        asking = _load(original) or original
        return asking(self, method, *args, **kwargs)

    return request


@never_raise
def _load(original: Method) -> Method | None:
    """From now on the transport follows every request; of this one, which came before, it is given what to call."""
    _patches.restore()
    importlib.import_module(".hooks", __package__).instrument("http.client")
    asking: Method = importlib.import_module(".transports.http_client", __package__).asking(original)
    return asking
