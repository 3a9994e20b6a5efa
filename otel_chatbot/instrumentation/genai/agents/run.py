"""One run of a tool, an agent or a chain, as a span of OpenTelemetry's conventions, above the spans of the model calls in it.

Fed by `genai.agents.langchain` and `.llama_index`, which say what a run is called; feeds the tracer, through `genai.spans`. No
figure comes from here: models are counted at the wire. Arguments and results are told only where content is opted in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any, Final, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry.trace import Span, Status, StatusCode, set_span_in_context

from ...._guard import never_raise
from ...._patching import Method
from ....semconv import attributes as a
from ...common import chat_turn
from .. import content, spans

_OWNER: Final = otel_context.create_key("otel-chatbot-run")
_NO_FAILURES: Final = frozenset({"GraphBubbleUp", "WaitingForEvent"})
"""Exceptions by which langgraph and llama-index leave a run to ask a person, by name: neither is imported for it."""
_UNKNOWN: Final = "_OTHER"


class Told(NamedTuple):
    """What a run is. `arguments`: gives those of a tool, where content is told."""

    operation: a.GenAiRun
    name: str
    call_id: str | None = None
    arguments: Callable[[], Any] | None = None


Describe = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], "Told | None"]
"""Says what a run is, from the object that runs and what it is given; None where it is none of ours to tell."""

_NAMES: Final = {
    a.GenAiRun.TOOL: a.GEN_AI_TOOL_NAME,
    a.GenAiRun.AGENT: a.GEN_AI_AGENT_NAME,
    a.GenAiRun.WORKFLOW: a.GEN_AI_WORKFLOW_NAME,
}


class Run:
    """A run, used as a block around each part of it that runs: in it, its span is the current one."""

    __slots__ = ("_context", "_span", "_token", "_tool")

    def __init__(self, span: Span, owner: object, *, tool: bool) -> None:
        self._span = span
        self._tool = tool
        self._context = otel_context.set_value(_OWNER, id(owner), set_span_in_context(span))
        self._token: Any = None

    def __enter__(self) -> None:
        self._token = otel_context.attach(self._context)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        otel_context.detach(self._token)

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """A block in which its span is the current one, in another thread, which may run at the same time."""
        token = otel_context.attach(self._context)
        try:
            yield
        finally:
            otel_context.detach(token)

    @never_raise
    def end(self, error: BaseException | None = None, result: Any = None) -> None:
        """It is over, with this."""
        span = self._span
        try:
            if span.is_recording():
                self._tell(error, result)
        finally:
            span.end()

    def _tell(self, error: BaseException | None, result: Any) -> None:
        failure = None
        if isinstance(error, Exception) and not any(base.__name__ in _NO_FAILURES for base in type(error).__mro__):
            failure = type(error).__qualname__
        elif getattr(result, "status", None) == "error" or getattr(result, "is_error", False) is True:
            failure = _UNKNOWN  # the library has made an answer to the model of the exception
        if failure is not None:
            self._span.set_attribute(a.ERROR_TYPE, failure)
            self._span.set_status(Status(StatusCode.ERROR, failure))
        if self._tool and error is None and spans.captures_content():
            self._span.set_attribute(a.GEN_AI_TOOL_RESULT, content.text(getattr(result, "content", result)))


@never_raise
def begin(describe: Describe, owner: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Run | None:
    """Begin the span of a run; None where there is to be none, as where a method of an object calls another one of it."""
    if not spans.Spans.on or otel_context.get_value(_OWNER) == id(owner):
        return None
    what = describe(owner, args, kwargs)
    if what is None:
        return None
    told: dict[str, Any] = {a.GEN_AI_OPERATION: what.operation.value}
    if what.name:
        told[_NAMES[what.operation]] = what.name
    is_tool = what.operation is a.GenAiRun.TOOL
    if is_tool:
        told[a.GEN_AI_TOOL_TYPE] = "function"
        if what.call_id:
            told[a.GEN_AI_TOOL_CALL_ID] = what.call_id
        if what.arguments is not None and spans.captures_content():
            told[a.GEN_AI_TOOL_ARGUMENTS] = content.text(what.arguments())
    conversation = chat_turn.conversation_id()
    if conversation is not None:
        told[a.GEN_AI_CONVERSATION_ID] = conversation
    span = spans.start_run(f"{what.operation.value} {what.name}".rstrip(), told)
    return None if span is None else Run(span, owner, tool=is_tool)


class Ending:
    """A block with which a run ends: with what it raises, or with the `result` that was put here."""

    __slots__ = ("_run", "result")

    def __init__(self, run: Run) -> None:
        self._run = run
        self.result: Any = None

    def __enter__(self) -> Ending:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._run.end(error, self.result)


def whole(describe: Describe) -> Callable[[Method], Method]:
    """Make a method whose call is a run."""

    def make(original: Method) -> Method:
        def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            one = begin(describe, self, args, kwargs)
            if one is None:
                return original(self, *args, **kwargs)
            with Ending(one) as ending, one:
                ending.result = original(self, *args, **kwargs)
            return ending.result

        return run

    return make


def whole_async(describe: Describe) -> Callable[[Method], Method]:
    """As `whole`, of an asynchronous method."""

    def make(original: Method) -> Method:
        async def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            one = begin(describe, self, args, kwargs)
            if one is None:
                return await original(self, *args, **kwargs)
            with Ending(one) as ending, one:
                ending.result = await original(self, *args, **kwargs)
            return ending.result

        return run

    return make


def stream(describe: Describe) -> Callable[[Method], Method]:
    """Make a generator that is a run. Between two values the application's own span is the current one."""

    def make(original: Method) -> Method:
        def run(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            one = begin(describe, self, args, kwargs)
            values = original(self, *args, **kwargs)
            if one is None:
                yield from values
                return
            with Ending(one):
                try:
                    while True:
                        with one:
                            try:
                                value = next(values)
                            except StopIteration:
                                return
                        yield value
                finally:
                    with one:
                        values.close()

        return run

    return make


def stream_async(describe: Describe) -> Callable[[Method], Method]:
    """As `stream`, of an asynchronous generator."""

    def make(original: Method) -> Method:
        async def run(self: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            one = begin(describe, self, args, kwargs)
            values = original(self, *args, **kwargs)
            with nullcontext() if one is None else Ending(one):
                try:
                    while True:
                        try:
                            with one or nullcontext():
                                value = await anext(values)
                        except StopAsyncIteration:
                            return
                        yield value
                finally:
                    await values.aclose()

        return run

    return make
