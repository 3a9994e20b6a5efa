"""The series in which calls of models are counted: looked up once per kind of call, for calls come in few kinds, and often.

Fed by `genai.call`; feeds the store. A kind is what the attributes say: operation, provider, and the models asked and answered.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ...metrics.record import AutomaticHistogram, keep
from ...metrics.store import STORE, CounterSeries, HistogramSeries, Value
from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.spec import MetricSpec

CallKind = tuple[str, str, str, "str | None"]
"""Operation, provider, the model that was asked, the model that answered."""


class Times(NamedTuple):
    """The series of the time of whole calls."""

    response_time: AutomaticHistogram
    duration: HistogramSeries


class Chunks(NamedTuple):
    """The series of the times between chunks."""

    first: HistogramSeries
    later: HistogramSeries


_times: Final[dict[tuple[CallKind, str | None], Times]] = {}
_chunks: Final[dict[CallKind, Chunks]] = {}
_tokens: Final[dict[tuple[str, str, CallKind], tuple[HistogramSeries]]] = {}
_priced: Final[dict[tuple[str, str], tuple[CounterSeries]]] = {}


def named(kind: CallKind) -> dict[str, Value | None]:
    """The attributes of a kind."""
    operation, provider, asked, answered = kind
    return {
        a.GEN_AI_OPERATION: operation,
        a.GEN_AI_PROVIDER: provider,
        a.GEN_AI_REQUEST_MODEL: asked,
        a.GEN_AI_RESPONSE_MODEL: answered,
    }


def times(kind: CallKind, failure: str | None) -> Times:
    """Where calls of this kind are timed that ended so."""
    place = kind, failure
    found = _times.get(place)
    if found is None:
        own = {a.GEN_AI_PROVIDER: kind[1], a.GEN_AI_REQUEST_MODEL: kind[2], a.ERROR_TYPE: failure}
        duration = STORE.histogram(m.GEN_AI_DURATION).bind({**named(kind), a.ERROR_TYPE: failure})
        found = keep(_times, place, Times(AutomaticHistogram(m.AI_RESPONSE_TIME, own), duration))
    return found


def chunks(kind: CallKind) -> Chunks:
    """Where the chunks of answers of this kind are timed."""
    found = _chunks.get(kind)
    if found is None:
        first, later = (STORE.histogram(spec).bind(named(kind)) for spec in (m.GEN_AI_FIRST_CHUNK, m.GEN_AI_CHUNK))
        found = keep(_chunks, kind, Chunks(first, later))
    return found


def tokens(spec: MetricSpec, part: a.TokenType, kind: CallKind) -> HistogramSeries:
    """Where this part of the tokens of calls of this kind is measured."""
    place = spec.name, part._value_, kind
    found = _tokens.get(place)
    if found is None:
        series = STORE.histogram(spec).bind({**named(kind), a.GEN_AI_TOKEN_TYPE: part.value})
        found = keep(_tokens, place, (series,))
    return found[0]


def priced(provider: str, model: str) -> CounterSeries:
    """Where the cost of calls of a model is counted."""
    place = provider, model
    found = _priced.get(place)
    if found is None:
        series = STORE.counter(m.AI_COST).bind({a.GEN_AI_PROVIDER: provider, a.GEN_AI_REQUEST_MODEL: model})
        found = keep(_priced, place, (series,))
    return found[0]
