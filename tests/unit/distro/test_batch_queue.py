"""The queue of a batch processor: its thread sleeps while it is empty, wakes for an item, and ends when it is told to."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter
from support.process import wait_for

from otel_chatbot.distro import sdk_private
from otel_chatbot.distro.batch_queue import Awaken, CountingQueue, has_real_threads


def waits(awaken: Awaken, timeout: float) -> tuple[threading.Thread, list[bool]]:
    """A thread that waits, and what its wait returned."""
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(awaken.wait(timeout)), daemon=True)
    thread.start()
    return thread, found


@pytest.mark.parametrize(
    "end", [lambda queue, _: queue.appendleft("item"), lambda _, awaken: awaken.set()], ids=["item", "set"]
)
def test_the_thread_sleeps_longer_than_its_delay_until_an_item_comes_or_it_is_told_to_end(
    end: Callable[[CountingQueue, Awaken], None],
) -> None:
    queue = CountingQueue(10, lambda: None)
    awaken = Awaken(queue)
    thread, found = waits(awaken, 0.001)
    thread.join(0.1)
    assert thread.is_alive()
    end(queue, awaken)
    thread.join(60)
    assert found == [awaken.is_set()]


def test_what_is_in_the_queue_already_waits_no_longer_than_the_delay() -> None:
    queue = CountingQueue(10, lambda: None)
    awaken = Awaken(queue)
    queue.appendleft("item")
    assert awaken.wait(0.001) is False
    queue.pop()
    queue.appendleft("the next")
    assert awaken.wait(0.001) is False


def test_tokens_do_not_pile_up_where_nobody_waits() -> None:
    queue = CountingQueue(10, lambda: None)
    for _ in range(3):
        queue.appendleft("item")
        queue.pop()
    assert queue.filled is None
    awaken = Awaken(queue)
    for _ in range(3):
        queue.appendleft("item")
        queue.pop()
    queue.appendleft("item")
    awaken.wait(0.001)
    assert queue.filled is not None
    assert queue.filled.empty()
    queue.renew()
    assert queue.filled is None, "in a forked child nobody waits for it"


def test_a_record_is_exported_after_the_delay_and_then_the_next_one() -> None:
    exporter = InMemoryLogRecordExporter()
    processor = BatchLogRecordProcessor(exporter, schedule_delay_millis=10)
    sdk_private.count_pushed_out(processor, lambda: None)
    provider = LoggerProvider()
    provider.add_log_record_processor(processor)
    for number in range(1, 4):
        provider.get_logger("test").emit(body=f"record {number}")
        wait_for(lambda number=number: len(exporter.get_finished_logs()) == number, "the record")
    provider.shutdown()
    assert not processor._batch_processor._worker_thread.is_alive()


def test_a_forked_child_exports_with_the_sdks_own_event() -> None:
    exporter = InMemoryLogRecordExporter()
    processor = BatchLogRecordProcessor(exporter, schedule_delay_millis=10)
    queue = sdk_private.count_pushed_out(processor, lambda: None)
    provider = LoggerProvider()
    provider.add_log_record_processor(processor)
    child = os.fork()
    if not child:
        try:
            queue.renew()
            provider.get_logger("test").emit(body="of the child")
            wait_for(lambda: len(exporter.get_finished_logs()) == 1, "the record")
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    provider.shutdown()


@pytest.mark.parametrize("module", ["gevent.thread", "eventlet.green.thread"])
def test_threads_that_are_greenlets_are_no_real_ones(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = type("Lock", (), {"__module__": module})
    monkeypatch.setattr("otel_chatbot.distro.batch_queue.threading.Lock", lock)
    assert not has_real_threads()
    monkeypatch.undo()
    assert has_real_threads()
