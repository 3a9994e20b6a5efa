"""Private parts of the OpenTelemetry SDK that the package repairs, reads or ends, each with the reason and a test.

Called by `distro.providers`, `distro.metrics.mirror_reader`, `distro.steps` and the encoder of spans. If an SDK release moves
one of these names, `tests/unit/distro/test_sdk_private.py` goes red, and this is the file to change.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import resources, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import _internal as _logs
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk._shared_internal import BatchProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics import _internal as metrics
from opentelemetry.sdk.metrics._internal.metric_reader_storage import MetricReaderStorage
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util import BoundedList

from .._clock import monotonic
from .._fork import at_fork, come_after_upstream
from ..semconv.attributes import PROCESS_PID
from .batch_queue import Awaken, CountingQueue, has_real_threads
from .process.servers import in_greenlets

Provider = TracerProvider | MeterProvider | LoggerProvider
Batch = BatchSpanProcessor | BatchLogRecordProcessor

_logger = logging.getLogger("otel_chatbot")
_meter_providers: weakref.WeakSet[MeterProvider] = weakref.WeakSet()
_own_resources: weakref.WeakKeyDictionary[Any, dict[str, str]] = weakref.WeakKeyDictionary()


# After a fork -----------------------------------------------------------------------------------------------------


def repair_after_fork(provider: MeterProvider) -> None:
    """Renew a meter provider's locks and figures in every forked child.

    A child forked while another thread collects inherits a held lock and hangs in `counter.add()`; it also inherits
    the totals, and so counts its parent's events again.
    """
    if provider not in _meter_providers:
        _meter_providers.add(provider)
        _register()


def keep_resource_after_fork(provider: Provider, attributes: dict[str, str]) -> None:
    """Renew a provider's process id in every forked child, and keep these attributes.

    The SDK puts a new `service.instance.id` there, over one that the user chose.
    """
    _own_resources[provider] = dict(attributes)
    _register()


def _register() -> None:
    wait_for_no_thread_after_a_fork()
    come_after_upstream()


def _after_fork_in_child() -> None:
    for provider in list(_meter_providers):
        renew_metrics(provider)
    for provider, attributes in list(_own_resources.items()):
        provider._update_resource(Resource({**attributes, PROCESS_PID: os.getpid()}))


at_fork(__name__, in_child=_after_fork_in_child)


def wait_for_no_thread_after_a_fork() -> None:
    """In a forked child under gevent, keep the SDK's own hooks from waiting for a thread; `distro.process.servers` says why.

    They start the threads of batch processors and of periodic readers, and detect a new resource in a pool of threads.
    """
    if BatchProcessor._at_fork_reinit.__module__ == __name__:
        return
    BatchProcessor._at_fork_reinit = _but_not_in_greenlets(  # type: ignore[method-assign]
        BatchProcessor._at_fork_reinit, lambda processor: processor._queue.clear()
    )
    PeriodicExportingMetricReader._at_fork_reinit = _but_not_in_greenlets(  # type: ignore[method-assign]
        PeriodicExportingMetricReader._at_fork_reinit, lambda _reader: None
    )
    for module in (_logs, metrics, trace):
        module._get_process_dependent_resource = _process_resource  # type: ignore[attr-defined]


def _but_not_in_greenlets(original: Callable[[Any], None], instead: Callable[[Any], None]) -> Callable[[Any], None]:
    def _at_fork_reinit(self: Any) -> None:
        (instead if in_greenlets() else original)(self)

    return _at_fork_reinit


def _process_resource() -> Resource:
    """The resource of this process: the detectors are asked one after the other, in the thread that forked."""
    found = Resource.get_empty()
    for detector in resources._build_resource_detectors():
        if detector.is_process_dependent():
            try:
                found = found.merge(detector.detect())
            except Exception as error:
                _logger.warning(
                    "the resource detector %s failed after a fork: %s", type(detector).__name__, type(error).__name__
                )
    return found


def renew_metrics(provider: MeterProvider) -> None:
    """Fresh locks and empty storages for every reader and instrument of a meter provider."""
    consumer = provider._measurement_consumer
    consumer._lock = threading.Lock()
    storages = consumer._reader_storages
    consumer._reader_storages = {
        reader: MetricReaderStorage(
            consumer._sdk_config,
            reader._instrument_class_temporality,  # type: ignore[arg-type]
            reader._instrument_class_aggregation,  # type: ignore[arg-type]
        )
        for reader in storages
    }
    for reader in storages:
        for name in ("_lock", "_export_lock"):
            held = getattr(reader, name, None)
            if held is not None:
                setattr(reader, name, threading.RLock() if type(held) is type(threading.RLock()) else threading.Lock())
    for meter in list(provider._meters.values()):
        meter._instrument_registration_lock = threading.Lock()


# Reading providers and spans --------------------------------------------------------------------------------------


def span_exporters(provider: TracerProvider) -> list[object]:
    """The exporters behind a tracer provider's processors; a processor without one stands for itself."""
    return [_exporter_of(processor) for processor in provider._active_span_processor._span_processors]


def log_exporters(provider: LoggerProvider) -> list[object]:
    """The exporters behind a logger provider's processors; a processor without one stands for itself."""
    return [_exporter_of(processor) for processor in provider._multi_log_record_processor._log_record_processors]


def metric_exporters(provider: MeterProvider) -> list[object]:
    """The exporters behind a meter provider's readers; a reader without one stands for itself."""
    readers = provider._measurement_consumer._reader_storages
    return [getattr(reader, "_exporter", reader) for reader in readers]


def _exporter_of(processor: Any) -> object:
    for holder in (processor, getattr(processor, "_batch_processor", None)):
        for name in ("span_exporter", "_exporter"):
            found = getattr(holder, name, None)
            if found is not None:
                return found
    return processor


def only_attributes(span: ReadableSpan) -> Mapping[str, Any] | None:
    """The attributes of an ended span that has nothing else: no event, no link, nothing dropped. None for other spans.

    The public properties would copy each of them, under locks that nobody else takes after the end.
    """
    told: Mapping[str, Any] | None = vars(span).get("told")  # a light span of ours
    if told is not None:
        return told if span.is_bare else None  # type: ignore[attr-defined]
    events, links, attributes = span._events, span._links, span._attributes
    if type(attributes) is not BoundedAttributes or attributes.dropped:
        return None
    for items in (events, links):
        if type(items) is BoundedList:
            if items._dq or items.dropped:  # type: ignore[attr-defined]
                return None
        elif items:
            return None
    return attributes._dict


_OTLP_EXPORTERS: Final = ("opentelemetry.exporter.otlp.proto", f"{__package__}.delivery.spool_exporters")


def is_otlp(exporter: object) -> bool:
    """Whether an exporter sends OTLP, by HTTP or gRPC: upstream's, or ours to the spool."""
    return any(kind.__module__.startswith(_OTLP_EXPORTERS) for kind in type(exporter).__mro__)


def resource_of(provider: TracerProvider | MeterProvider) -> Resource:
    """A provider's resource."""
    return provider.resource if isinstance(provider, TracerProvider) else provider._sdk_config.resource


def yield_to(ours: TracerProvider, theirs: TracerProvider) -> None:
    """Make every tracer of `ours` create spans of `theirs`: a tracer keeps the parts that its provider had at its creation."""
    ours.sampler, ours.id_generator = theirs.sampler, theirs.id_generator
    ours._resource, ours._span_limits = theirs._resource, theirs._span_limits
    ours._active_span_processor = theirs._active_span_processor
    for tracer in list(ours._tracers.values()):
        tracer.sampler, tracer.id_generator = theirs.sampler, theirs.id_generator
        tracer.resource, tracer._span_limits = theirs._resource, theirs._span_limits
        tracer.span_processor = theirs._active_span_processor


def has_instruments(provider: MeterProvider, besides: str) -> bool:
    """Whether any meter but the one named `besides` has made an instrument."""
    return any(scope.name != besides and meter._instrument_id_instrument for scope, meter in list(provider._meters.items()))


# Shutting down ----------------------------------------------------------------------------------------------------


def begin_shutdown(processor: Batch) -> None:
    """Tell a batch processor's thread to export what is queued and to end; returns at once."""
    batch = processor._batch_processor
    batch._shutdown = True
    batch._worker_awaken.set()


def finish_shutdown(processor: Batch, deadline: float, *, keep_exporter: bool = False) -> int:
    """Wait for that thread until a deadline (of `time.monotonic`); return the number of items that were not exported.

    `keep_exporter` leaves the exporter open, because it is still used afterwards.
    """
    batch = processor._batch_processor
    batch._worker_thread.join(max(0.0, deadline - monotonic()))
    batch._shutdown_timeout_exceeded = True
    if not keep_exporter:
        batch._exporter.shutdown()  # type: ignore[no-untyped-call]
    return len(batch._queue)


def abandon(processor: Batch) -> None:
    """Forget what is queued and end the processor's thread without an export."""
    processor._batch_processor._queue.clear()
    begin_shutdown(processor)


def count_pushed_out(processor: Batch, on_pushed_out: Callable[[], None]) -> CountingQueue:
    """Have a batch processor that was just made tell of every item that its full queue drops, and sleep while it is empty."""
    batch = processor._batch_processor
    queue = CountingQueue(batch._max_queue_size, on_pushed_out)
    batch._queue = queue
    batch._max_queue_size = sys.maxsize  # is read only before a warning
    if has_real_threads():
        waiting, batch._worker_awaken = batch._worker_awaken, Awaken(queue)
        waiting.set()  # the thread has just begun to wait with the other one
    return queue
