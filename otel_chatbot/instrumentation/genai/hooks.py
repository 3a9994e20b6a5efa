"""Instrumentation of AI calls: which libraries are followed, and how. Each is followed when the application imports it.

Fed by the distribution, which calls `instrument` with each library of the table that the application imports; feeds the
transports, which see the calls, and the boundaries, which see what an application calls one call.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import ClassVar, Final

from opentelemetry.trace import TracerProvider

from ...metrics import record
from ...semconv.attributes import GenAiProvider
from ...semconv.spec import Source
from ..common import told_messages
from ..common.patching import Patches
from . import boundaries, others, outermost, spans, stainless, stream_usage, unseen
from .libraries import AGENTS

_patches: Final = Patches()

Follow = Callable[[ModuleType, Patches, bool], None]
"""Follows a library; the last argument says that its calls are to be ignored."""


def _transport(name: str) -> Follow:
    def follow(module: ModuleType, patches: Patches, _ignored: bool) -> None:
        importlib.import_module(f".transports.{name}", __package__).instrument(module, patches)

    return follow


def _stainless(provider: GenAiProvider | None = None) -> Follow:
    def follow(module: ModuleType, patches: Patches, ignored: bool) -> None:
        base = sys.modules.get(f"{module.__name__}._base_client")
        if base is None:  # a client of before 2023 has another base
            return
        client = boundaries.Client(module.__name__, None if provider is None else provider.value, ignored)
        for owner in stainless.owners(base.SyncAPIClient):
            patches.wrap(owner, "request", stainless.following(client))
        for owner in stainless.owners(base.AsyncAPIClient):
            patches.wrap(owner, "request", stainless.following_async(client))

    return follow


def _rows(module: ModuleType, patches: Patches, ignored: bool) -> None:
    boundaries.wrap(module.__name__, patches, ignored=ignored)


def _agents(module: ModuleType, patches: Patches, ignored: bool) -> None:
    name = "llama_index" if module.__name__.startswith("llama_index") else "langchain"
    importlib.import_module(f".agents.{name}", __package__).follow(module, patches, ignored)


_FOLLOW: Final[dict[str, Follow]] = {
    "httpx": _transport("httpx"),
    "httpx2": _transport("httpx"),
    "aiohttp": _transport("aiohttp"),
    "urllib3": _transport("urllib3"),
    "requests": _transport("requests"),
    "http.client": _transport("http_client"),
    "grpc._channel": _transport("grpc"),
    "grpc.aio._call": _transport("grpc"),
    "openai": _stainless(),
    "anthropic": _stainless(),
    "groq": _stainless(GenAiProvider.GROQ),
    "together": _stainless(GenAiProvider.TOGETHER),
    "cerebras.cloud.sdk": _stainless(GenAiProvider.CEREBRAS),
    **{row.library: _rows for row in boundaries.ROWS},
    **dict.fromkeys(outermost.ROWS, outermost.follow),
    **dict.fromkeys(others.CLIENTS, others.follow),
    **dict.fromkeys(AGENTS, _agents),
}
"""By the name that is imported."""


class State:
    """What the instrumentation has done."""

    on = False
    followed: ClassVar[set[str]] = set()


def instrument(library: str = "", tracer_provider: TracerProvider | None = None, *, ignored: bool = False) -> None:
    """Follow the calls that go through a library, which is imported; without a name, all that are imported.

    `ignored`: this client's calls are not to be seen, whatever carries them.
    """
    if not State.on:
        State.on = True
        record.activate_source(Source.GENAI)
        spans.use(tracer_provider)
        told_messages.watch(_patches)
    for name in (library,) if library else _FOLLOW:
        module = sys.modules.get(name)
        if module is not None and name in _FOLLOW and name not in State.followed:
            State.followed.add(name)
            _FOLLOW[name](module, _patches, ignored)


def uninstrument() -> None:
    """Switch it off again."""
    State.on = False
    State.followed.clear()
    _patches.restore()
    spans.off()
    stream_usage.forget()
    unseen.forget()
    others.forget()
