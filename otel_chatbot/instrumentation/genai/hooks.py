"""Instrumentation of AI clients: the openai client's calls, with their spans, times, tokens, costs and failures.

Fed by the distribution, which calls `instrument` when the application imports openai; feeds `genai.openai_calls`.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.trace import TracerProvider
from wrapt import FunctionWrapper

from ..._guard import report
from ...metrics import record
from ...semconv import metrics as m
from ...semconv.logs import PACKAGE_LOGGER
from ..common.patching import Method, Patches, being_imported
from . import openai_calls, spans
from .openai_calls import CHAT, EMBEDDINGS, RESPONSES, Api

_logger = logging.getLogger(PACKAGE_LOGGER)
_patches: Final = Patches()

_CHAT_MODULE = "openai.resources.chat.completions"
_RESPONSES_MODULE = "openai.resources.responses"
_UPSTREAM: Final = "opentelemetry.instrumentation.genai.openai"
_PACKAGE: Final = f"{os.sep}openai{os.sep}"
"""In the path of the client's own code."""
_METHODS: Final[tuple[tuple[str, str, tuple[str, ...], Api], ...]] = (
    (_CHAT_MODULE, "Completions", ("create", "parse"), CHAT),
    (_RESPONSES_MODULE, "Responses", ("create", "parse"), RESPONSES),
    ("openai.resources.embeddings", "Embeddings", ("create",), EMBEDDINGS),
)
"""Module, class (its asynchronous twin has `Async` in front), methods, and how their calls are read."""


class State:
    """Whether the instrumentation is on, and whether upstream's is ours to switch off."""

    on = False
    upstream = False


def instrument(tracer_provider: TracerProvider | None = None) -> None:
    """Switch the figures and spans of AI calls on; a second call does nothing. Imports openai's resources."""
    if State.on:
        return
    State.on = True
    record.activate(m.AI_RESPONSE_TIME, m.ERRORS)
    methods = [(owner, name, api) for owner, names, api in _owners() for name in names if name in vars(owner)]
    plain = {(owner, name): vars(owner)[name] for owner, name, _ in methods}
    managers = [(owner, vars(owner)["stream"]) for owner, _, api in _owners() if api is RESPONSES and "stream" in vars(owner)]
    _use_upstream(tracer_provider)
    for owner, name, api in methods:
        make = openai_calls.following_async if owner.__name__.startswith("Async") else openai_calls.following
        before = plain[owner, name]
        _patches.wrap(owner, name, make(api, _elsewhere(owner, name, before), before))
    for owner, manager in managers:
        # The streams of `Responses.stream` come out of `create`, which is followed already.
        _patches.wrap(owner, "stream", _passing(manager))


def uninstrument() -> None:
    """Switch them off again."""
    if not State.on:
        return
    State.on = False
    _patches.restore()
    spans.Spans.handler = None
    if State.upstream:
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

        State.upstream = False
        OpenAIInstrumentor().uninstrument()


def _owners() -> list[tuple[type, tuple[str, ...], Api]]:
    found = []
    for module, name, methods, api in _METHODS:
        try:
            home = importlib.import_module(module)
        except ImportError:  # an older client without this interface
            continue
        found += [(getattr(home, kind), methods, api) for kind in (name, f"Async{name}")]
    return found


def _use_upstream(tracer_provider: TracerProvider | None) -> None:
    if being_imported(_UPSTREAM):
        return  # openai is imported by upstream's instrumentor itself: whoever imports that will use it
    try:
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

        spans.use(tracer_provider)
        instrumentor = OpenAIInstrumentor()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(meter_provider=spans.NO_METRICS)
            State.upstream = instrumentor.is_instrumented_by_opentelemetry
    except ImportError:
        _logger.info("AI calls have no spans: install otel-chatbot[genai] for them; times, tokens and failures are counted")
    except Exception as error:
        report("instrumenting the spans of AI calls", error)


def _elsewhere(owner: type, name: str, before: Method) -> Callable[[Any], bool]:
    """Whether another tool makes the spans of a method's calls: one set of spans is enough, and theirs was asked for."""
    wrapped_before = isinstance(before, FunctionWrapper)

    def elsewhere(resource: Any) -> bool:
        if wrapped_before or vars(owner).get(name) is not _patches.replacement(owner, name):
            return True
        return _is_foreign(getattr(getattr(resource, "_client", None), "request", None))

    return elsewhere


def _is_foreign(method: Any) -> bool:
    """Whether a method of the client has been replaced by somebody else's; a name and a module may have been copied."""
    code = getattr(getattr(method, "__func__", method), "__code__", None)
    return isinstance(method, FunctionWrapper) or (code is not None and _PACKAGE not in code.co_filename)


def _passing(manager: Method) -> Callable[[Method], Method]:
    def make(_spanned: Method) -> Method:
        def stream(self: Any, *args: Any, **kwargs: Any) -> Any:
            return manager.__get__(self)(*args, **kwargs)

        return stream

    return make
