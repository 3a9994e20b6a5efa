"""Counter, Gauge and Histogram: what an application counts by hand.

Fed by the application's own calls; feeds `metrics.store`, with `metrics.deduplication` in between where a metric also fills itself.
A recording call never raises: what cannot be recorded is counted in `chatbot.telemetry.dropped` and warned of once.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Final, Generic, TypeVar

from opentelemetry.trace import get_current_span

from .. import _guard
from .._wiring import ensure_configured
from ..semconv import attributes as a
from ..semconv.metrics import SLOW_EDGES
from ..semconv.spec import Kind, MetricSpec
from . import deduplication, exposition, record, view
from .definitions import DEFINITIONS
from .registry import registry
from .store import STORE, CounterSeries, GaugeSeries, HistogramSeries, Instrument, Series

_S = TypeVar("_S", bound=Series)
_logger = logging.getLogger("otel_chatbot")
_warned: set[str] = set()

_NUMBERS: Final = frozenset({int, float})
_MOST: Final = sys.float_info.max


class Metric(Generic[_S]):
    """The common part of the three kinds: a definition, its series in this process, and the checks of recorded values."""

    __slots__ = ("_bare", "_instrument", "_sixteen", "spec")
    _kind: ClassVar[Kind]

    def __init__(
        self, name: str, description: str, unit: str, attributes: Iterable[str], buckets: Iterable[float] | None = None
    ) -> None:
        self.spec: MetricSpec = DEFINITIONS.define(
            self._kind, name, description=description, unit=unit, attributes=attributes, edges=buckets
        )
        self._sixteen = bool(self.spec.python)
        self._instrument: Instrument[_S] = STORE.instrument(self.spec)
        self._bare: _S | None = None
        registry.register(self)

    @property
    def name(self) -> str:
        """The Prometheus name."""
        return self.spec.prometheus

    @property
    def description(self) -> str:
        """What is measured."""
        return self.spec.description

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def _first(self) -> _S:
        """The series without attributes. It sets the package up first, because no recording may come before that."""
        _guard.never_raise(ensure_configured)()
        self._bare = bare = self._instrument.bare()
        return bare

    def _labelled(self, attributes: Mapping[str, object] | None, labels: dict[str, object]) -> _S:
        if self._bare is None:
            self._first()
        return self._instrument.labels({**attributes, **labels} if attributes else labels)

    def _fills_itself(self) -> bool:
        return self.spec.name in record.AUTOMATIC.active

    def _refuse(self, value: object, wanted: str) -> None:
        """Count a value that cannot be recorded, and warn of the first one."""
        record.dropped(a.Signal.METRICS, a.DropReason.INVALID_VALUE)
        if self.name not in _warned:
            _warned.add(self.name)
            shown = repr(value)[:40] if type(value) is float or type(value) is int else f"a {type(value).__name__}"
            _logger.warning("%s was given %s and did not record it; give it %s", self.name, shown, wanted)

    def _lost(self, call: str, error: Exception) -> None:
        """Count a recording that failed for an unexpected reason, and report it."""
        record.dropped(a.Signal.METRICS, a.DropReason.INVALID_VALUE)
        _guard.report(f"{self.name}.{call}", error)

    def _all_series(self) -> list[_S]:
        return list(self._instrument.series.values())

    def _reset(self) -> None:
        for series in self._all_series():
            series.reset()
        deduplication.forget(self.spec.name)


class Counter(Metric[CounterSeries]):
    """A total that only grows; see `Metric`.

    Args: a name (`_total` is added to the Prometheus name), what is counted, a UCUM unit or an annotation like
    `{order}`, the attributes that may be given. The same name again gives the same figures. ValueError for a bad
    definition, with the remedy.

    Where one of the sixteen also fills itself, an event counts once: in a request (outside of one, in a thread or task)
    the calls of `inc` and the automatic events are summed separately, and the larger sum is recorded.
    """

    __slots__ = ()
    _kind = Kind.COUNTER

    def __init__(self, name: str, description: str = "", *, unit: str = "", attributes: Iterable[str] = ()) -> None:
        super().__init__(name, description, unit, attributes)

    def inc(self, amount: float = 1, attributes: Mapping[str, object] | None = None, **labels: object) -> None:
        """Add an amount, not negative; attributes by name in a mapping, or as labels (`http_route="/chat"`)."""
        series = self._bare
        try:
            if 0 <= amount <= _MOST and not (self._sixteen and self._fills_itself()):
                if labels or attributes:
                    self._labelled(attributes, labels).add(amount)
                    return
                # The same as `series.add`, without the call and without `with`, which take a third of the time each.
                # Before the first recording and after a fork there is no series, or it has no cells: then the long
                # way below finds them.
                cells = series._cells  # type: ignore[union-attr]
                lock = series._lock  # type: ignore[union-attr]
                lock.acquire()
                try:
                    cells[0] += amount  # type: ignore[index]
                finally:
                    lock.release()
                return
        except Exception:  # noqa: S110 - whatever is odd about the amount, the long way says it
            pass
        self._inc(amount, attributes, labels)

    def _inc(self, amount: float, attributes: Mapping[str, object] | None, labels: dict[str, object]) -> None:
        number = _number(amount)
        if number is None or number < 0:
            return self._refuse(amount, "a finite number that is not negative")
        try:
            series = self._labelled(attributes, labels) if labels or attributes else self._bare or self._first()
            if self._fills_itself():
                scope = deduplication.current()
                number = deduplication.new_outside(self.spec.name, scope, scope.tally(self.spec.name).add_hand(number))
            series.add(number)
        except Exception as error:
            self._lost("inc", error)
        return None

    def get(self) -> float:
        """The sum over the attributes, in this process."""
        return exposition.plain(sum(series.read()[0] for series in self._all_series()))

    def reset(self) -> None:
        """Start again from 0, in this process."""
        self._reset()


class Gauge(Metric[GaugeSeries]):
    """A value that goes up and down; for the arguments see `Counter`.

    Moves by `inc` and `dec` are summed over the processes of the app; of the values by `set`, the latest wins. A gauge
    that is set or moved by hand no longer fills itself.
    """

    __slots__ = ()
    _kind = Kind.GAUGE

    def __init__(self, name: str, description: str = "", *, unit: str = "", attributes: Iterable[str] = ()) -> None:
        super().__init__(name, description, unit, attributes)

    def set(self, value: float, attributes: Mapping[str, object] | None = None, **labels: object) -> None:
        """Set the value."""
        self._change("set", GaugeSeries.set, value, attributes, labels)

    def inc(self, amount: float = 1, attributes: Mapping[str, object] | None = None, **labels: object) -> None:
        """Move the value up."""
        self._change("inc", GaugeSeries.move, amount, attributes, labels)

    def dec(self, amount: float = 1, attributes: Mapping[str, object] | None = None, **labels: object) -> None:
        """Move the value down."""
        number = _number(amount)
        self._change("dec", GaugeSeries.move, amount if number is None else -number, attributes, labels)

    def get(self) -> float:
        """The sum over the attributes in this process; for a gauge with an outside source, the value of that source."""
        source = record.AUTOMATIC.sources.get(self.spec.name)
        if source is not None:
            return exposition.plain(sum(point.value for point in view.ask(self.spec, source)))
        return exposition.plain(sum(moved + value for moved, value, _ in (series.read() for series in self._all_series())))

    def _change(
        self,
        call: str,
        change: Callable[[GaugeSeries, float], None],
        value: float,
        attributes: Mapping[str, object] | None,
        labels: dict[str, object],
    ) -> None:
        number = _number(value)
        if number is None:
            return self._refuse(value, "a finite number")
        try:
            series = self._labelled(attributes, labels) if labels or attributes else self._bare or self._first()
            if self._sixteen:
                record.AUTOMATIC.take_by_hand(self.spec)
            change(series, number)
        except Exception as error:
            self._lost(call, error)
        return None


class Histogram(Metric[HistogramSeries]):
    """A distribution, in buckets; for the other arguments see `Counter`.

    `buckets`: increasing upper edges, by default those for seconds that a person waits.

    If one of the sixteen also measures itself, its own measurements win. Only hand observations beyond their number
    are recorded, when the request ends.
    """

    __slots__ = ()
    _kind = Kind.HISTOGRAM

    DEFAULT_BUCKETS: ClassVar[list[float]] = [*SLOW_EDGES]
    """The default upper edges of a histogram, in seconds; a copy that may be changed."""

    def __init__(
        self,
        name: str,
        description: str = "",
        buckets: Iterable[float] | None = None,
        *,
        unit: str = "",
        attributes: Iterable[str] = (),
    ) -> None:
        super().__init__(name, description, unit, attributes, buckets)

    @property
    def buckets(self) -> tuple[float, ...]:
        """The upper edges; the one at infinity is not listed."""
        return self.spec.buckets

    def observe(self, value: float, attributes: Mapping[str, object] | None = None, **labels: object) -> None:
        """Add a measurement, not negative, in the metric's unit; attributes as in `Counter.inc`."""
        if type(value) not in _NUMBERS or not 0 <= value <= _MOST:
            number = _number(value)
            if number is None or number < 0:
                return self._refuse(value, "a finite number that is not negative")
            value = number
        try:
            series = self._labelled(attributes, labels) if labels or attributes else self._bare or self._first()
            if self._sixteen and self._fills_itself():
                context = get_current_span().get_span_context()
                deduplication.current().observe(self.spec.name, partial(series.observe, value, context))
            else:
                series.observe(value)
        except Exception as error:
            self._lost("observe", error)
        return None

    def get(self) -> dict[str, Any]:
        """`count`, `sum`, `avg` and `buckets` (cumulative, by upper edge as text) over the attributes, in this process."""
        total, counts = 0.0, [0] * (len(self.buckets) + 1)
        for series in self._all_series():
            cells = series.read()
            total += cells[0]
            counts = [known + int(more) for known, more in zip(counts, cells[1:], strict=False)]
        return exposition.histogram_json(self.buckets, total, counts)

    def reset(self) -> None:
        """Start again from nothing, in this process."""
        self._reset()


def _number(value: object) -> float | None:
    """A finite number, of whatever type; None for anything else, text included."""
    if isinstance(value, (str, bytes, bytearray)):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except Exception:
        return None
    return number if -_MOST <= number <= _MOST else None
