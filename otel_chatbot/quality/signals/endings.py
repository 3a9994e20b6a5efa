"""What the reason for which a model ended its answer tells of it: the words of all the wires that are read.

Fed by `instrumentation.genai` with an answer's finish reasons; feeds its signals. Nothing is guessed from a text.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from ...semconv.attributes import AnswerSignal

_REFUSED: Final = frozenset({
    "content_filter", "content_filtered", "guardrail_intervened", "refusal", "safety", "prohibited_content", "blocklist", "spii",
    "recitation", "image_safety", "image_prohibited_content", "model_armor", "error_toxic", "language", "jailbreak",
})  # fmt: skip
"""OpenAI's, Azure's, Mistral's; Bedrock's; Anthropic's; Gemini's finish and block reasons; Cohere's."""
_CUT_OFF: Final = frozenset({
    "length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded", "context_window_exceeded",
    "error_limit",
})  # fmt: skip
_SIGNALS: Final = {
    written: signal
    for names, signal in ((_REFUSED, AnswerSignal.REFUSED), (_CUT_OFF, AnswerSignal.CUT_OFF))
    for name in names
    for written in (name, name.upper())
}


_REASONS: Final = _SIGNALS.keys()


def of(reasons: Collection[str]) -> set[AnswerSignal]:
    """The signals that finish reasons give."""
    if _REASONS.isdisjoint(reasons):  # as nearly always
        return set()
    return {_SIGNALS[reason] for reason in reasons if reason in _SIGNALS}
