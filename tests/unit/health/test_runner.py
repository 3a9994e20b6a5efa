"""One run of a check: within its budget, in one thread, for any number of probes, measured and never without an answer."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import threading
import time
from collections.abc import Iterator

import pytest
from support.health import Gate, fresh_health
from support.process import wait_for

from otel_chatbot.health import HealthChecker, HealthStatus
from otel_chatbot.metrics import record
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def checker() -> Iterator[HealthChecker]:
    with fresh_health(CHATBOT_OTEL_HEALTH_TIMEOUT="0.3") as fresh:
        yield fresh


class Refuses:
    def __bool__(self) -> bool:
        raise ValueError("no truth in here")


async def coroutine_check() -> bool:
    await asyncio.sleep(0)
    return False


def test_an_async_check_is_awaited(checker: HealthChecker) -> None:
    checker.register_check("own", coroutine_check)
    assert checker.detailed()["checks"]["own"]["status"] == "unhealthy"


def test_details_stand_beside_the_fixed_fields_and_never_replace_them(checker: HealthChecker) -> None:
    checker.register_check("own", lambda: {"queue": 3, "latency_ms": "fast", "ratio": float("nan"), "password": "hunter22"})
    found = checker.detailed()["checks"]["own"]
    assert found["queue"] == 3
    assert isinstance(found["latency_ms"], float)
    assert "hunter22" not in json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError])
def test_a_check_that_raises_what_is_no_exception_still_answers(checker: HealthChecker, kind: type[BaseException]) -> None:
    def leave() -> None:
        raise kind

    checker.register_check("own", leave)
    assert checker.detailed()["checks"]["own"]["message"] == kind.__name__


def test_a_result_that_cannot_be_asked_whether_it_is_true_is_unhealthy(checker: HealthChecker) -> None:
    checker.register_check("own", Refuses)
    found = checker.detailed()["checks"]["own"]
    assert (found["status"], found["message"]) == ("unhealthy", "ValueError: no truth in here")


def test_a_machine_without_threads_to_give_is_an_answer_too(checker: HealthChecker, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    checker.register_check("own", lambda: True)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more)
        found = checker.detailed()["checks"]["own"]
    assert (found["status"], found["message"]) == ("unhealthy", "RuntimeError: can't start new thread")
    assert checker.detailed()["checks"]["own"]["status"] == "healthy"


def test_a_hanging_check_costs_its_budget_once_and_never_a_second_thread(checker: HealthChecker) -> None:
    gate = Gate()
    checker.register_check("own", gate)
    start = time.monotonic()
    first = checker.detailed()
    assert time.monotonic() - start >= 0.3
    assert not gate.open.is_set(), "the answer came while the check hung"
    assert first["status"] == "unhealthy"
    assert re.fullmatch(r"timed out after 0\.3 s, still running since \S+Z", first["checks"]["own"]["message"])
    assert first["checks"]["cache"]["status"] == "healthy"

    costs = []
    for _ in range(20):
        start = time.monotonic()
        assert checker.detailed()["checks"]["own"]["status"] == "unhealthy"
        costs.append(time.monotonic() - start)
    assert min(costs) < 0.3, "a check that is known to hang must not cost its budget again"
    assert gate.runs == 1
    assert sum(thread.name == "otel_chatbot-health-own" for thread in threading.enumerate()) == 1

    gate.open.set()
    wait_for(lambda: checker.detailed()["checks"]["own"]["status"] == "healthy", "the check to run anew")
    wait_for(lambda: not any(t.name.startswith("otel_chatbot-health") for t in threading.enumerate()), "threads to end")


def test_a_result_that_comes_too_late_is_not_shown(checker: HealthChecker) -> None:
    gate = Gate()
    checker.register_check("own", gate)
    for _ in range(2):  # the second probe shares the run
        assert checker.detailed()["checks"]["own"]["status"] == "unhealthy"
    gate.open.set()
    wait_for(lambda: not any(t.name == "otel_chatbot-health-own" for t in threading.enumerate()), "the thread to end")
    assert _status_figure("own") == 0.0
    checker.detailed()
    assert gate.runs == 2


def test_a_thousand_concurrent_probes_cost_one_run(checker: HealthChecker) -> None:
    runs: list[int] = []

    def check() -> bool:
        runs.append(1)
        time.sleep(0.05)
        return True

    checker.register_check("database", check, readiness=True, timeout=20)
    answers: list[str] = []
    start = threading.Barrier(1001)

    def probe() -> None:
        start.wait(60)
        answers.append(checker.readiness()["status"])

    threads = [threading.Thread(target=probe, daemon=True) for _ in range(1000)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    start.wait(60)
    for thread in threads:
        thread.join(60)
    # One run, and one more for every second that this machine may need to schedule a thousand threads.
    assert len(runs) <= 1 + int(time.monotonic() - began)
    assert answers == ["healthy"] * 1000


def test_a_lone_probe_always_runs_anew(checker: HealthChecker) -> None:
    state = {"well": True}
    checker.register_check("own", lambda: state["well"])
    for well in (True, False, True, False):
        state["well"] = well
        assert checker.detailed()["checks"]["own"]["status"] == ("healthy" if well else "unhealthy")


def test_checks_run_as_the_packages_own_traffic(checker: HealthChecker) -> None:
    seen: list[bool] = []
    checker.register_check("own", lambda: seen.append(record.is_own_traffic()) or True)
    checker.detailed()
    assert seen == [True]
    assert not record.is_own_traffic()


def _status_figure(name: str) -> float:
    return STORE.instrument(m.HEALTH_STATUS).labels({a.CHECK: name}).read()[1]


def test_every_run_is_measured_and_its_status_is_a_figure(checker: HealthChecker) -> None:
    results = {"good": True, "half": HealthStatus.DEGRADED, "bad": False}
    for name, result in results.items():
        checker.register_check(name, lambda result=result: result)
    durations = {name: STORE.instrument(m.HEALTH_CHECK_DURATION).labels({a.CHECK: name}) for name in results}
    before = {name: sum(series.read()[1 : 2 + len(m.HEALTH_CHECK_DURATION.buckets)]) for name, series in durations.items()}
    checker.detailed()
    assert [_status_figure(name) for name in results] == [1.0, 0.5, 0.0]
    for name, series in durations.items():
        assert sum(series.read()[1 : 2 + len(m.HEALTH_CHECK_DURATION.buckets)]) == before[name] + 1


def test_a_check_that_hangs_shows_as_zero_at_once(checker: HealthChecker) -> None:
    gate = Gate()
    checker.register_check("hung", gate)
    checker.detailed()
    assert _status_figure("hung") == 0.0
    gate.open.set()


def test_a_forked_child_runs_its_own_checks_though_the_parents_hang(checker: HealthChecker) -> None:
    gate = Gate()
    checker.register_check("own", lambda: gate() if os.getpid() == parent else True)
    parent = os.getpid()
    checker.detailed()  # a run that hangs is in flight
    reading, writing = os.pipe()
    gc.collect()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, checker.detailed()["checks"]["own"]["status"].encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert answer.read() == "healthy"
    os.waitpid(child, 0)
    gate.open.set()
