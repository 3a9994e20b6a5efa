"""Google's Gemini, by its own address or by Vertex.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import re
from typing import Any, Final

from ....semconv import attributes as a
from ....semconv.attributes import GenAiOperation, GenAiProvider
from ..framing import Framing
from .answer import Answer, count_of, dict_of, dicts_of, name_of
from .protocol import Body, ModelRequest, Protocol, model_in, model_of, numbers, stops

_MODEL: Final = re.compile(r"/(?:models|tunedModels|endpoints)/([^/]+):\w+$")
_NUMBERS: Final = {
    "temperature": a.GEN_AI_TEMPERATURE, "topP": a.GEN_AI_TOP_P, "topK": a.GEN_AI_TOP_K, "seed": a.GEN_AI_SEED,
    "maxOutputTokens": a.GEN_AI_MAX_TOKENS, "presencePenalty": a.GEN_AI_PRESENCE_PENALTY,
    "frequencyPenalty": a.GEN_AI_FREQUENCY_PENALTY,
    # Some write the names as the protocol buffer has them.
    "top_p": a.GEN_AI_TOP_P, "top_k": a.GEN_AI_TOP_K, "max_output_tokens": a.GEN_AI_MAX_TOKENS,
}  # fmt: skip


def request(body: Body, path: str) -> ModelRequest:
    """A request for content."""
    told: dict[str, Any] = {}
    given = dict_of(body.get("generationConfig") or body.get("generation_config"))
    numbers(given, _NUMBERS, told)
    stops(given.get("stopSequences") or given.get("stop_sequences"), told)
    choices = count_of(given.get("candidateCount") or given.get("candidate_count"))
    if choices is not None and choices != 1:
        told[a.GEN_AI_CHOICE_COUNT] = choices
    form = name_of(given.get("responseMimeType") or given.get("response_mime_type"))
    if form is not None:
        told[a.GEN_AI_OUTPUT_TYPE] = "json" if form == "application/json" else "text"
    streamed = path.endswith(":streamGenerateContent")
    said = [body.get("systemInstruction") or body.get("system_instruction"), body.get("contents")]
    return ModelRequest(model_in(path, _MODEL), streamed, GenAiOperation.GENERATE_CONTENT, told, said)


def request_embedding(body: Body, path: str) -> ModelRequest:
    """A request for one embedding or several."""
    requests = dicts_of(body.get("requests"))
    first = requests[0] if requests else body
    told: dict[str, Any] = {}
    config = dict_of(first.get("embedContentConfig"))
    if (size := count_of(first.get("outputDimensionality") or config.get("outputDimensionality"))) is not None:
        told[a.GEN_AI_DIMENSIONS] = size
    said = [item.get("content") for item in requests] or body.get("content") or body.get("instances")
    model = model_in(path, _MODEL) or model_of(first.get("model")).rpartition("/")[2]
    return ModelRequest(model, operation=GenAiOperation.EMBEDDINGS, attributes=told, said=said)


def whole(found: dict[str, Any], answer: Answer) -> None:
    """A whole answer, or a part of a streamed one: they have one shape."""
    answer.by(found.get("modelVersion"), found.get("responseId"))
    told = found.get("usageMetadata")
    if isinstance(told, dict):
        thought = count_of(told.get("thoughtsTokenCount"))
        written = count_of(told.get("candidatesTokenCount")) or 0
        # The tokens of tools' results that the model had to read are told apart from the prompt's.
        asked = count_of(told.get("promptTokenCount"))
        if asked is not None:
            asked += count_of(told.get("toolUsePromptTokenCount")) or 0
        answer.used(asked, written + (thought or 0), cached=told.get("cachedContentTokenCount"), reasoning=thought)
    for candidate in dicts_of(found.get("candidates")):
        index = count_of(candidate.get("index")) or 0
        for number, part in enumerate(dicts_of(dict_of(candidate.get("content")).get("parts"))):
            answer.text(part.get("text"), index, "reasoning" if part.get("thought") else "text")
            called = part.get("functionCall")
            if isinstance(called, dict):
                key = (index, name_of(called.get("id")) or (len(answer.tools), number))
                answer.tool(key, called.get("name"), called.get("id"), called.get("args"), index)
        answer.finished(candidate.get("finishReason"), index)
    if (blocked := name_of(dict_of(found.get("promptFeedback")).get("blockReason"))) is not None:
        answer.finished(blocked)
    _failed(found, answer)


def whole_embedding(found: dict[str, Any], answer: Answer) -> None:
    """An answer with embeddings; the vectors are not read, and only some of the interfaces tell tokens."""
    answer.used(dict_of(found.get("usageMetadata")).get("promptTokenCount"))
    tokens = [
        count_of(dict_of(dict_of(item.get("embeddings")).get("statistics")).get("token_count"))
        for item in dicts_of(found.get("predictions"))
    ]
    if tokens and None not in tokens:
        answer.used(sum(number or 0 for number in tokens))
    _failed(found, answer)


def _failed(found: dict[str, Any], answer: Answer) -> None:
    if found.get("error"):
        error = dict_of(found["error"])
        answer.failed(error.get("status") or error.get("code"))


def chunk(_name: str, found: dict[str, Any], answer: Answer) -> None:
    """A part of a streamed answer. The last one has a finish reason for its candidate."""
    whole(found, answer)
    answer.done = answer.done or any(item.get("finishReason") for item in dicts_of(found.get("candidates")))


def chunk_embedding(_name: str, found: dict[str, Any], answer: Answer) -> None:
    """Embeddings are not streamed."""
    whole_embedding(found, answer)


ROWS: Final = (
    Protocol(
        "vertex", GenAiProvider.VERTEX, ("generateContent", "streamGenerateContent"),
        re.compile(r"/projects/.+:(?:g|streamG)enerateContent$"), ("contents",), request, whole, chunk, Framing.ARRAY,
    ),
    Protocol(
        "gemini", GenAiProvider.GEMINI, ("generateContent", "streamGenerateContent"),
        re.compile(r":(?:g|streamG)enerateContent$"), ("contents",), request, whole, chunk, Framing.ARRAY,
    ),
    Protocol(
        "gemini_embed", GenAiProvider.GEMINI, ("embedContent",), re.compile(r":embedContent$"), ("content",),
        request_embedding, whole_embedding, chunk_embedding,
    ),
    Protocol(
        "gemini_batch_embed", GenAiProvider.GEMINI, ("batchEmbedContents",), re.compile(r":batchEmbedContents$"), ("requests",),
        request_embedding, whole_embedding, chunk_embedding,
    ),
    Protocol(
        "vertex_embed", GenAiProvider.VERTEX, ("predict",),
        re.compile(r"/publishers/google/models/[^/]*(?:embedding|gecko)[^/]*:predict$"), ("instances",),
        request_embedding, whole_embedding, chunk_embedding,
    ),
)  # fmt: skip
