"""The figures of requests: how many run, how many there were, how long they took, how many failed.

Fed by `flask.request`, when a request arrives and when its last byte is out; feeds the store. No figure comes from a span.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from opentelemetry.trace import SpanContext

from ...metrics.deduplication import Scope
from ...metrics.record import AutomaticCounter, AutomaticHistogram, keep
from ...metrics.store import STORE, GaugeSeries
from ...metrics.together import TimedEvents
from ...semconv import attributes as a
from ...semconv import metrics as m
from . import upgrade


class _Running(NamedTuple):
    """The series in which running requests of one kind are counted."""

    active: GaugeSeries


_running: Final[dict[tuple[str, str | None], _Running]] = {}
_Kind = tuple[str, str | None, int, str | None, str | None, str | None]
_ended: Final[dict[_Kind, tuple[TimedEvents]]] = {}


def running(*, method: str, scheme: str | None) -> GaugeSeries:
    """The gauge of the requests of one kind that are running."""
    kind = (method, scheme)
    if kind in _running:
        return _running[kind].active
    active = STORE.gauge(m.HTTP_SERVER_ACTIVE).bind({a.HTTP_METHOD: method, a.URL_SCHEME: scheme})
    return keep(_running, kind, _Running(active)).active


def count(
    scope: Scope,
    seconds: float,
    context: SpanContext,
    *,
    method: str,
    route: str | None,
    status: int,
    error: str | None,
    scheme: str | None,
    protocol: str | None,
) -> None:
    """Count and measure a request that has ended; `error` is the kind of its failure."""
    kind = (method, route, status, error, scheme, protocol)
    (figures,) = _ended.get(kind) or _figures_of(kind)
    if status == upgrade.SWITCHED:  # the duration of a connection is no time that somebody waited for an answer
        figures.add_without_time(seconds, context, scope)
    else:
        figures.add(seconds, context, scope)
    if error is not None:
        # A failed AI call of this request has counted already: the failure that it causes is not a second one.
        AutomaticCounter(m.ERRORS, {a.ERROR_TYPE: error}).add_unless_counted(scope)


def _figures_of(kind: _Kind) -> tuple[TimedEvents]:
    method, route, status, error, scheme, protocol = kind
    answer = {a.HTTP_METHOD: method, a.HTTP_ROUTE: route, a.HTTP_STATUS: status}
    more = {a.ERROR_TYPE: error, a.URL_SCHEME: scheme, a.PROTOCOL_VERSION: protocol}
    made = TimedEvents(
        AutomaticHistogram(m.RESPONSE_TIME, answer),
        STORE.histogram(m.HTTP_SERVER_DURATION).bind({**answer, **more}),
        AutomaticCounter(m.API_REQUESTS, answer),
    )
    return keep(_ended, kind, (made,))
