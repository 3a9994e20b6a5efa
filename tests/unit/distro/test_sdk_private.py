"""Every private name of the SDK that the package touches: a release that moves one turns exactly one test red."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, InMemoryMetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext

from otel_chatbot.distro import sdk_private


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def provider(reader: InMemoryMetricReader) -> Iterator[MeterProvider]:
    made = MeterProvider([reader], Resource({}), shutdown_on_exit=False)
    yield made
    made.shutdown()


def total(reader: InMemoryMetricReader) -> float:
    data = reader.get_metrics_data()
    if data is None:
        return 0.0
    points = [p for r in data.resource_metrics for s in r.scope_metrics for x in s.metrics for p in x.data.data_points]
    return sum(point.value for point in points)


def test_renewing_starts_the_figures_from_nothing(provider: MeterProvider, reader: InMemoryMetricReader) -> None:
    counter = provider.get_meter("app").create_counter("things")
    counter.add(7)
    assert total(reader) == 7
    sdk_private.renew_metrics(provider)
    counter.add(1)
    assert total(reader) == 1


def test_renewing_frees_the_lock_that_a_collect_in_the_parent_holds(
    provider: MeterProvider, reader: InMemoryMetricReader
) -> None:
    provider._measurement_consumer._lock.acquire()
    sdk_private.renew_metrics(provider)
    assert provider._measurement_consumer._lock.acquire(timeout=0)
    provider._measurement_consumer._lock.release()
    assert total(reader) == 0


def test_renewing_frees_the_locks_of_storages_readers_and_instruments(
    provider: MeterProvider, reader: InMemoryMetricReader
) -> None:
    meter = provider.get_meter("app")
    counter = meter.create_counter("things")
    counter.add(1)
    storage = provider._measurement_consumer._reader_storages[reader]
    match = storage._instrument_view_instrument_matches[counter][0]
    held = (storage._lock, match._lock, reader._lock, meter._instrument_registration_lock)
    holder = threading.Thread(target=lambda: [lock.acquire() for lock in held])
    holder.start()
    holder.join()
    sdk_private.renew_metrics(provider)
    done = threading.Event()

    def use() -> None:
        meter.create_counter("others").add(2)
        counter.add(1)
        assert total(reader) == 3
        done.set()

    threading.Thread(target=use, daemon=True).start()
    assert done.wait(5), "a lock of the parent is still held"


def test_renewing_frees_the_lock_of_an_export(provider: MeterProvider) -> None:
    periodic = PeriodicExportingMetricReader(ConsoleMetricExporter(), export_interval_millis=float("inf"))
    provider.add_metric_reader(periodic)
    periodic._export_lock.acquire()
    sdk_private.renew_metrics(provider)
    assert periodic._export_lock.acquire(timeout=0)
    periodic._export_lock.release()
    provider.remove_metric_reader(periodic)


@pytest.mark.parametrize("make", [TracerProvider, MeterProvider, LoggerProvider])
def test_a_forked_child_has_its_own_process_id_and_keeps_the_chosen_instance_id(make: type) -> None:
    provider = make(resource=Resource({"service.instance.id": "mine", "process.pid": 1}), shutdown_on_exit=False)
    sdk_private.keep_resource_after_fork(provider, {"service.instance.id": "mine"})
    provider._update_resource(Resource({"service.instance.id": "the SDK's"}))
    sdk_private._after_fork_in_child()
    held = provider.resource if make is LoggerProvider else sdk_private.resource_of(provider)
    assert held.attributes["service.instance.id"] == "mine"
    assert held.attributes["process.pid"] == os.getpid()


def test_the_exporters_of_a_foreign_tracer_provider_are_found() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    memory = InMemorySpanExporter()
    batch = BatchSpanProcessor(memory)
    provider.add_span_processor(batch)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    assert sdk_private.span_exporters(provider) == [memory, memory]
    assert not sdk_private.is_otlp(memory)
    provider.shutdown()


def test_the_exporters_of_a_foreign_logger_provider_are_found() -> None:
    provider = LoggerProvider(shutdown_on_exit=False)
    console = ConsoleLogRecordExporter()
    provider.add_log_record_processor(BatchLogRecordProcessor(console))
    assert sdk_private.log_exporters(provider) == [console]
    provider.shutdown()


def test_the_exporters_of_a_foreign_meter_provider_are_found(provider: MeterProvider, reader: InMemoryMetricReader) -> None:
    console = ConsoleMetricExporter()
    periodic = PeriodicExportingMetricReader(console, export_interval_millis=float("inf"))
    provider.add_metric_reader(periodic)
    assert sdk_private.metric_exporters(provider) == [reader, console]
    provider.remove_metric_reader(periodic)


def test_a_span_that_has_nothing_but_attributes_gives_them_without_a_copy() -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    plain, told = tracer.start_span("a", attributes={"k": 1}), tracer.start_span("b", attributes={"k": 1})
    told.add_event("e")
    linked = tracer.start_span("c", links=[Link(SpanContext(1, 2, False))])
    limited = TracerProvider(span_limits=SpanLimits(max_attributes=1), shutdown_on_exit=False).get_tracer("t").start_span("d")
    limited.set_attributes({"a": 1, "b": 2})
    assert sdk_private.only_attributes(plain) == {"k": 1}
    assert [sdk_private.only_attributes(span) for span in (told, linked, limited)] == [None] * 3


def test_an_otlp_exporter_is_known_as_one() -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter()
    assert sdk_private.is_otlp(exporter)
    exporter.shutdown()


def test_instruments_of_others_are_seen_and_ours_are_not(provider: MeterProvider) -> None:
    provider.get_meter("otel_chatbot").create_counter("ours")
    assert not sdk_private.has_instruments(provider, besides="otel_chatbot")
    provider.get_meter("theirs").create_counter("things")
    assert sdk_private.has_instruments(provider, besides="otel_chatbot")


class Held(SpanExporter):
    """An exporter whose calls go through while it is open, after so many seconds, and hang while it is not."""

    def __init__(self, *, opened: bool, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.open = threading.Event()
        if opened:
            self.open.set()
        self.exported = 0
        self.closed = False

    def export(self, spans: object) -> SpanExportResult:
        self.open.wait(120)
        time.sleep(self.seconds)
        self.exported += len(spans)  # type: ignore[arg-type]
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.closed = True


def batch_of(spans: int, exporter: SpanExporter) -> BatchSpanProcessor:
    processor = BatchSpanProcessor(exporter, max_export_batch_size=5)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    for _ in range(spans):
        provider.get_tracer("t").start_span("s").end()
    return processor


def test_a_shutdown_exports_what_is_queued_and_closes_the_exporter() -> None:
    exporter = Held(opened=True)
    processor = batch_of(23, exporter)
    sdk_private.begin_shutdown(processor)
    assert sdk_private.finish_shutdown(processor, time.monotonic() + 10) == 0
    assert exporter.exported == 23
    assert exporter.closed


def test_a_shutdown_ends_at_its_deadline_and_says_what_was_left() -> None:
    exporter = Held(opened=False)
    processor = batch_of(40, exporter)
    sdk_private.begin_shutdown(processor)
    left = sdk_private.finish_shutdown(processor, time.monotonic() + 0.2)
    assert exporter.exported == 0, "it ended while the export hung"
    exporter.open.set()
    assert left >= 25
    assert exporter.closed


def test_a_full_queue_tells_of_every_span_that_it_pushes_out_however_many_threads_there_are(
    scale: int, caplog: pytest.LogCaptureFixture
) -> None:
    exporter, pushed_out = Held(opened=True, seconds=0.0005), count()
    processor = BatchSpanProcessor(exporter, max_queue_size=16, max_export_batch_size=8)
    sdk_private.count_pushed_out(processor, lambda: next(pushed_out))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    threads, each = 6, 1500 * scale

    def work() -> None:
        for _ in range(each):
            provider.get_tracer("t").start_span("s").end()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(interval)
    sdk_private.begin_shutdown(processor)
    assert sdk_private.finish_shutdown(processor, time.monotonic() + 10) == 0
    lost = next(pushed_out)
    assert lost
    assert exporter.exported + lost == threads * each
    assert not caplog.records, "the SDK does not warn without end"


def test_a_queue_whose_lock_was_held_at_a_fork_works_in_the_child() -> None:
    queue = sdk_private.CountingQueue(2, lambda: None)
    holder = threading.Thread(target=queue._lock.acquire)
    holder.start()
    holder.join()
    queue.renew()
    queue.appendleft(1)
    assert queue.pop() == 1
