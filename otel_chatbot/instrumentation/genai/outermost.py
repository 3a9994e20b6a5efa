"""Ours stays outside of upstream's instrumentations of HTTP clients: their spans are below the model's, whoever comes first.

Fed by `genai.hooks` when such an instrumentation is imported; feeds `Patches`, and `genai.transports.requests` and `.urllib`,
which begin the call where it lies outside of theirs. Those of httpx and aiohttp need nothing: they look at the transport, below
`send`. Those of requests, urllib3 and urllib replace the very method that we replace; so ours is taken off while they do it.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from types import ModuleType
from typing import Any, Final, NamedTuple

from ..common.patching import Method, Patches


class Row(NamedTuple):
    """An instrumentation of upstream's, and the method of a class of which it and we take the place."""

    instrumentor: str
    module: str
    owner: str
    method: str


_UPSTREAM: Final = "opentelemetry.instrumentation."
ROWS: Final = {
    f"{_UPSTREAM}requests": Row("RequestsInstrumentor", "requests", "Session", "send"),
    f"{_UPSTREAM}urllib3": Row("URLLib3Instrumentor", "urllib3.connectionpool", "HTTPConnectionPool", "urlopen"),
    f"{_UPSTREAM}urllib": Row("URLLibInstrumentor", "urllib.request", "OpenerDirector", "open"),
}
"""By the module whose import tells that it may be used."""


def follow(module: ModuleType, patches: Patches, _ignored: bool) -> None:
    """Stay outside of this instrumentation from now on."""
    row = ROWS[module.__name__]
    instrumentor = getattr(module, row.instrumentor, None)
    owner = getattr(sys.modules.get(row.module), row.owner, None)
    if instrumentor is None or owner is None:
        return
    if row.module == "urllib.request":
        importlib.import_module(".transports.urllib", __package__).instrument(owner, patches)
    for name in ("_instrument", "_uninstrument"):  # what its class defines: the public methods are its base's
        patches.wrap(instrumentor, name, lambda original: _lifting(original, owner, row.method, patches))


def _lifting(original: Method, owner: type, method: str, patches: Patches) -> Method:
    def instrument(self: Any, **kwargs: Any) -> Any:
        with contextlib.ExitStack() as stack:
            stack.enter_context(patches.lifted(owner, method))
            return original(self, **kwargs)

    return instrument
