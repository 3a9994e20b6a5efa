"""The series in which calls of models are counted: looked up once per kind of call, for calls come in few kinds, and often.

Fed by `genai.call`; feeds the store. A kind is what the attributes say: operation, provider, and the models asked and answered.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ...metrics.record import AutomaticHistogram, keep
from ...metrics.store import STORE, CounterSeries, HistogramSeries, Key, Value
from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.spec import Kind, MetricSpec

CallKind = tuple[str, str, str, "str | None"]
"""Operation, provider, the model that was asked, the model that answered."""
_EMBEDDINGS: Final = a.GenAiOperation.EMBEDDINGS.value


class Times(NamedTuple):
    """The series of the time of whole calls."""

    response_time: AutomaticHistogram
    duration: HistogramSeries


class Chunks(NamedTuple):
    """The series of the times between chunks."""

    first: HistogramSeries
    later: HistogramSeries


class Tokens(NamedTuple):
    """The series of one part of the tokens."""

    part: a.TokenType
    series: HistogramSeries | CounterSeries

    @property
    def key(self) -> Key:
        """The series' key, for `keep`."""
        return self.series.key


_times: Final[dict[tuple[CallKind, str | None], Times]] = {}
_chunks: Final[dict[CallKind, Chunks]] = {}
_tokens: Final[dict[CallKind, tuple[Tokens, ...]]] = {}
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


def tokens(kind: CallKind) -> tuple[Tokens, ...]:
    """Where the tokens of calls of this kind are measured: embeddings have no output."""
    found = _tokens.get(kind)
    if found is None:
        rows = [row for row in m.TOKENS if not (kind[0] == _EMBEDDINGS and row[1] is a.TokenType.OUTPUT)]
        found = keep(_tokens, kind, tuple(Tokens(part, _tokens_series(spec, part, kind)) for spec, part in rows))
    return found


def _tokens_series(spec: MetricSpec, part: a.TokenType, kind: CallKind) -> HistogramSeries | CounterSeries:
    if spec.kind is Kind.HISTOGRAM:
        return STORE.histogram(spec).bind({**named(kind), a.GEN_AI_TOKEN_TYPE: part.value})
    return STORE.counter(spec).bind(named(kind))


def priced(provider: str, model: str) -> CounterSeries:
    """Where the cost of calls of a model is counted."""
    place = provider, model
    found = _priced.get(place)
    if found is None:
        series = STORE.counter(m.AI_COST).bind({a.GEN_AI_PROVIDER: provider, a.GEN_AI_REQUEST_MODEL: model})
        found = keep(_priced, place, (series,))
    return found[0]
