"""Starts our instrumentations (Flask, MongoDB, Redis, cachelib, AI clients), each when its library is imported.

Fed by `distro.environment.SignalPlan`; feeds `instrumentation/*`. A library that the application never imports costs nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]
from wrapt import when_imported

from .._guard import report
from ..instrumentation.genai.libraries import AGENTS, AI_CLIENTS, AI_LIBRARIES, BESIDE, OTHERS
from .environment import SignalPlan


@dataclass(frozen=True)
class OwnInstrumentation:
    """One of our instrumentations: the library that it waits for, its module here, and the name that switches it off.

    `by_name`: the module follows several libraries, and is told which one was imported. `shown`: the import of the library
    proves that the application uses it, so it is listed as active.
    """

    library: str
    module: str
    name: str
    by_name: bool = False
    shown: bool = True


OURS: Final = (
    OwnInstrumentation("flask", "flask.hooks", "flask"),
    OwnInstrumentation("pymongo", "mongodb.hooks", "pymongo"),
    OwnInstrumentation("redis", "redis.hooks", "redis"),
    OwnInstrumentation("cachelib", "cachelib", "cachelib"),
    OwnInstrumentation("http.client", "genai.standard_library", "genai", by_name=True, shown=False),
    *(OwnInstrumentation(library, "genai.hooks", "genai", by_name=True) for library in AI_LIBRARIES),
    *(
        OwnInstrumentation(library, "genai.hooks", "genai", by_name=True, shown=False)
        for library in (*BESIDE, *OTHERS, *AGENTS)
    ),
)
_OF_AI_CLIENTS: Final = frozenset(
    {*AI_CLIENTS, "bedrock", "google-genai", "google_genai", "mistralai", "ollama", "langchain", "llama-index", "llama_index", "llamaindex"}
)  # fmt: skip
"""Other projects' instrumentors of AI clients, upstream's among them, by entry point: ours sees the calls of all clients."""
REPLACED: Final = frozenset(ours.name for ours in OURS if not ours.by_name) | _OF_AI_CLIENTS
"""The instrumentors, by entry point, that ours replace."""


class Instrumentations:
    """The instrumentations of this process. `active` is for the line at start and for `doctor`."""

    def __init__(self) -> None:
        self.active: set[str] = set()
        self._asked: set[str] = set()

    def install(self, plan: SignalPlan) -> None:
        """Instrument each library now if it is imported, else at its import; a second call does nothing."""
        for ours in OURS:
            if plan.wants(ours.name) and ours.library not in self._asked:
                self._asked.add(ours.library)
                ignored = ours.library in AI_CLIENTS and not plan.wants(ours.library)
                when_imported(ours.library)(self._hook(ours, {"ignored": True} if ignored else {}))

    def _hook(self, ours: OwnInstrumentation, how: dict[str, bool]) -> Callable[[Any], None]:
        def instrument(_module: Any) -> None:
            try:
                hooks = importlib.import_module(f"..instrumentation.{ours.module}", __package__)
                hooks.instrument(*((ours.library,) if ours.by_name else ()), **how)
                if ours.shown:
                    self.active.add(ours.name)
            except Exception as error:
                report(f"instrumenting {ours.library}", error)

        return instrument


INSTRUMENTATIONS: Final = Instrumentations()
"""The process's instrumentations."""


def skip_in_other_distros() -> None:
    """If another distro loads the instrumentors, make it leave out those that ours replace, as our own distro does."""
    for distro in _distros(BaseDistro):
        active = vars(distro).get("_instance")
        if active is not None and "load_instrumentor" not in vars(active) and not distro.__module__.startswith(__package__):
            active.load_instrumentor = _skipping(active.load_instrumentor)


def _skipping(load: Callable[..., None]) -> Callable[..., None]:
    def load_instrumentor(entry_point: Any, **kwargs: Any) -> None:
        if entry_point.name not in REPLACED:
            load(entry_point, **kwargs)

    return load_instrumentor


def _distros(base: type[BaseDistro]) -> Iterator[type[BaseDistro]]:
    for distro in base.__subclasses__():
        yield distro
        yield from _distros(distro)
