"""Clients whose calls another tool's instrumentation tells, with spans that nobody sees while the client asks: ours makes none.

Fed by `genai.hooks` when such an instrumentation is imported; feeds `genai.wire_call`. Most tools' spans are the current one
during the call, which `genai.spans` sees by itself. Those below begin a span without that, or end the block before a stream is
asked for; so one looks at whether they are switched on. Figures are the same either way.
"""

from __future__ import annotations

import sys
from itertools import chain
from types import ModuleType
from typing import Any, Final

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from ..common.patching import Method, Patches

_LLMETRY, _INFERENCE = "opentelemetry.instrumentation", "openinference.instrumentation"
CLIENTS: Final[dict[str, tuple[str, ...]]] = {
    f"{_LLMETRY}.openai": ("openai",),
    f"{_LLMETRY}.anthropic": ("anthropic",),
    f"{_LLMETRY}.groq": ("groq",),
    f"{_LLMETRY}.together": ("together",),
    f"{_LLMETRY}.cohere": ("cohere",),
    f"{_LLMETRY}.mistralai": ("mistralai.client.basesdk", "mistralai.basesdk"),
    f"{_LLMETRY}.google_generativeai": ("google.genai", "google.api_core.gapic_v1.method"),
    f"{_LLMETRY}.bedrock": ("botocore.client",),
    f"{_LLMETRY}.genai.anthropic": ("anthropic",),
    f"{_INFERENCE}.anthropic": ("anthropic",),
    f"{_INFERENCE}.google_genai": ("google.genai",),
}
"""By the module of the instrumentation: the libraries of `genai.boundaries` and `genai.stainless` whose calls it tells."""
TELLING: Final[set[str]] = set()
"""The libraries whose calls are told by another tool now."""


_LITELLM: Final = "litellm"


def tell(library: str) -> bool:
    """Whether the calls of this library are told by another tool, or by a callback of its own."""
    return library in TELLING or (library == _LITELLM and _litellm_tells())


def _litellm_tells() -> bool:
    """Whether litellm's own callback for OpenTelemetry is set: by its name, or as the object that litellm makes of it."""
    module = sys.modules[_LITELLM]
    callbacks = chain(getattr(module, "callbacks", ()), getattr(module, "success_callback", ()))
    return any(
        callback == "otel" or any(kind.__name__ == "OpenTelemetry" for kind in type(callback).__mro__) for callback in callbacks
    )


def follow(module: ModuleType, patches: Patches, _ignored: bool) -> None:
    """Look at whether this instrumentation is switched on, now and later."""
    clients = CLIENTS[module.__name__]
    for kind in [found for found in vars(module).values() if isinstance(found, type) and found.__module__ == module.__name__]:
        if not issubclass(kind, BaseInstrumentor):
            continue
        patches.wrap(kind, "_instrument", lambda original: _noting(original, clients, on=True))
        patches.wrap(kind, "_uninstrument", lambda original: _noting(original, clients, on=False))
        # The one object of the class (opentelemetry/instrumentation/instrumentor.py): to make one would begin it anew.
        if getattr(vars(kind).get("_instance"), "is_instrumented_by_opentelemetry", False):
            TELLING.update(clients)


def _noting(original: Method, clients: tuple[str, ...], *, on: bool) -> Method:
    def switch(self: Any, **kwargs: Any) -> Any:
        result = original(self, **kwargs)
        if on:
            TELLING.update(clients)
        else:
            TELLING.difference_update(clients)
        return result

    return switch


def forget() -> None:
    """Forget what has been seen: it is looked at again when ours is switched on."""
    TELLING.clear()
