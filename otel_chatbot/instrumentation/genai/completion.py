"""The public way to tell of AI calls that no instrumentation sees: a model of one's own, a provider without a client here.

    with chat_completion("anthropic", "claude-sonnet-4-5") as call:
        message = client.messages.create(...)
        call.usage(message.usage.input_tokens, message.usage.output_tokens)

Fed by the application; feeds `genai.call`, as the calls that are seen do.
"""

from __future__ import annotations

import logging
from types import TracebackType

from typing_extensions import Self

from ..._guard import never_raise
from ..._wiring import ensure_configured
from ...metrics import record
from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.logs import PACKAGE_LOGGER
from ...semconv.spec import Source
from ..common import chat_turn
from . import cost, spans
from .call import Call
from .cost import Usage
from .protocols.protocol import ModelRequest

_logger = logging.getLogger(PACKAGE_LOGGER)


class ChatCompletion:
    """A call of a model, told by the application: `with` or `async with` is the call, an exception in it is its failure.

    A call of an instrumented client inside of it is a part of it, and is not counted for itself.
    """

    def __init__(self, provider: str, model: str, prompt: str = "") -> None:
        self._provider = provider
        self._model = model
        self._prompt = prompt
        self._call: Call | None = None

    def usage(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> None:
        """Say how many tokens the call took; `cached_tokens` are those of the input that the provider had cached."""
        if self._call is not None:
            self._call.usage = Usage(max(int(input_tokens), 0), max(int(output_tokens), 0), max(int(cached_tokens), 0))

    def chunk(self, text: str = "") -> None:
        """Say that a piece of a streamed answer has arrived.

        The text is measured, never kept: tokens that `usage` does not tell are estimated from it.
        """
        if self._call is not None:
            self._call.chunk(len(text))

    def answered_by(self, model: str) -> None:
        """Say which model has answered, where the provider tells."""
        if self._call is not None:
            self._call.response_model = model

    def fail(self, error_type: str) -> None:
        """Say that the call failed without an exception, and how: by a short name. Use few different names."""
        if self._call is not None:
            self._call.failure = error_type

    @never_raise
    def _begin(self) -> None:
        ensure_configured()
        record.activate_source(Source.GENAI)
        spans.use_if_off()
        self._call = Call(self._provider, ModelRequest(self._model, said=self._prompt))
        self._call.enter()

    @never_raise
    def _end(self, error: BaseException | None) -> None:
        if self._call is not None:
            self._call.leave_block()
            self._call.end(error)

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def chat_completion(provider: str, model: str, prompt: str = "") -> ChatCompletion:
    """A call of `model` of `provider`, to be used in a `with` block around it.

    `prompt` is what the model is asked: it is measured, never kept, to estimate its tokens where `usage` is not called.
    """
    return ChatCompletion(provider, model, prompt)


@never_raise
def cached_answer(provider: str, model: str, input_tokens: int, output_tokens: int) -> None:
    """Say that an answer came from the application's cache, and which tokens it had cost: what was saved is counted."""
    ensure_configured()
    current = chat_turn.running()
    if current is not None:
        current.answered = True
    dollars = cost.cost(provider, "", (model,), Usage(input_tokens, output_tokens))
    if dollars is None:
        record.count(m.AI_UNPRICED, 1.0, {a.GEN_AI_REQUEST_MODEL: model})
        return
    record.count(m.AI_COST_SAVED, float(dollars), {a.GEN_AI_PROVIDER: provider, a.GEN_AI_REQUEST_MODEL: model})
