"""The checker: what checks may return, how they add up, budgets, one run for many probes."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from support.health import fresh_health
from support.process import clean_env, wait_for

from otel_chatbot.health import (
    HealthChecker,
    HealthResult,
    HealthStatus,
    drain,
    get_health_checker,
    require_healthy,
)
from otel_chatbot.metrics import record
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def checker() -> Iterator[HealthChecker]:
    with fresh_health(CHATBOT_OTEL_HEALTH_TIMEOUT="0.3") as fresh:
        yield fresh


class Gate:
    """A check that hangs until it is let go, and counts its runs and its threads."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.runs = 0

    def __call__(self) -> bool:
        self.runs += 1
        return self.open.wait(30)


def test_there_is_one_checker_in_a_process(checker: HealthChecker) -> None:
    assert HealthChecker() is checker
    assert get_health_checker() is checker
    assert re.fullmatch(r"<.*HealthChecker object at 0x[0-9a-f]+>", repr(checker))


def test_liveness_says_status_time_uptime_and_version(checker: HealthChecker) -> None:
    answer = checker.liveness()
    assert list(answer) == ["status", "timestamp", "uptime_seconds", "version"]
    assert answer["status"] == "healthy"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["timestamp"])
    assert 0 < answer["uptime_seconds"] < 86400
    assert isinstance(answer["version"], str)
    assert answer["version"]


def test_uptime_grows_with_the_clock(checker: HealthChecker) -> None:
    before, first, after = time.monotonic(), checker.liveness()["uptime_seconds"], time.monotonic()
    time.sleep(0.05)
    later, last, end = time.monotonic(), checker.liveness()["uptime_seconds"], time.monotonic()
    assert later - after - 0.002 <= last - first <= end - before + 0.002, "shown in thousandths"


def test_without_any_client_the_built_in_checks_are_healthy_and_say_not_configured(checker: HealthChecker) -> None:
    answer = checker.readiness()
    assert answer["status"] == "healthy"
    assert set(answer["checks"]) == {"database", "cache"}
    for check in answer["checks"].values():
        assert check["status"] == "healthy"
        assert check["message"] == "not configured"
        assert check["latency_ms"] >= 0


class Refuses:
    def __bool__(self) -> bool:
        raise ValueError("no truth in here")

    def __repr__(self) -> str:
        return "Refuses()"


async def coroutine_check() -> bool:
    await asyncio.sleep(0)
    return False


@pytest.mark.parametrize(
    ("returned", "status", "message"),
    [
        (True, "healthy", "OK"),
        (1, "healthy", "OK"),
        ("yes", "healthy", "OK"),
        (False, "unhealthy", "Check failed"),
        (None, "unhealthy", "Check failed"),
        (0, "unhealthy", "Check failed"),
        ([], "unhealthy", "Check failed"),
        ({}, "unhealthy", "Check failed"),
        ("", "unhealthy", "Check failed"),
        ("unhealthy", "unhealthy", "Check failed"),
        (HealthStatus.DEGRADED, "degraded", "Degraded"),
        ((True, "42 models"), "healthy", "42 models"),
        ((False, "no models"), "unhealthy", "no models"),
        (("degraded", "slow"), "degraded", "slow"),
        ((1, 2), "healthy", "OK"),
        (HealthResult(HealthStatus.DEGRADED, "one of two"), "degraded", "one of two"),
        ({"status": "degraded", "message": "late", "queue": 3}, "degraded", "late"),
        ({"queue": 3}, "healthy", "OK"),
        ({"status": False}, "unhealthy", "Check failed"),
        ({"status": "sideways"}, "unhealthy", "Check failed"),
        (Refuses(), "unhealthy", "ValueError: no truth in here"),
    ],
    ids=repr,
)
def test_what_a_check_returns_is_its_status(checker: HealthChecker, returned: object, status: str, message: str) -> None:
    checker.register_check("own", lambda: returned)
    found = checker.detailed()["checks"]["own"]
    assert (found["status"], found["message"]) == (status, message)


def test_an_async_check_is_awaited(checker: HealthChecker) -> None:
    checker.register_check("own", coroutine_check)
    assert checker.detailed()["checks"]["own"]["status"] == "unhealthy"


def test_details_stand_beside_the_fixed_fields_and_never_replace_them(checker: HealthChecker) -> None:
    checker.register_check("own", lambda: {"queue": 3, "latency_ms": "fast", "ratio": float("nan"), "password": "hunter22"})
    found = checker.detailed()["checks"]["own"]
    assert found["queue"] == 3
    assert isinstance(found["latency_ms"], float)
    assert "hunter22" not in json.dumps(found, allow_nan=False)


def test_registered_checks_are_required_and_in_detailed_only_unless_they_ask_for_readiness(checker: HealthChecker) -> None:
    checker.register_check("own", lambda: False)
    assert checker.readiness()["status"] == "healthy"
    assert "own" not in checker.readiness()["checks"]
    assert checker.detailed()["status"] == "unhealthy"
    checker.register_check("own", lambda: False, readiness=True)
    assert checker.readiness()["status"] == "unhealthy"


def test_an_optional_check_can_only_degrade(checker: HealthChecker) -> None:
    checker.register_check("own", lambda: False, required=False)
    answer = checker.detailed()
    assert answer["status"] == "degraded"
    assert answer["checks"]["own"]["status"] == "unhealthy"


def test_a_check_of_the_same_name_replaces_the_first(checker: HealthChecker) -> None:
    checker.register_check("database", lambda: False)
    assert checker.detailed()["status"] == "unhealthy"
    checker.register_check("database", lambda: True)
    assert checker.detailed()["checks"]["database"]["message"] == "OK"


def test_a_check_in_place_of_a_built_in_one_stands_where_that_stood(checker: HealthChecker) -> None:
    checker.register_check("cache", lambda: False)
    assert checker.readiness()["status"] == "degraded"
    checker.register_check("database", lambda: False)
    assert checker.readiness()["status"] == "unhealthy"


def test_what_cannot_be_called_is_refused_at_registration(checker: HealthChecker) -> None:
    with pytest.raises(TypeError, match="callable"):
        checker.register_check("own", True)  # type: ignore[arg-type]


def test_a_raise_is_unhealthy_with_class_and_text_but_neither_credentials_nor_stack() -> None:
    uri = "mongodb://admin:pa%24%24w0rd@db.example/chat"
    with fresh_health(MONGODB_URI=uri, CHATBOT_OTEL_ENDPOINT_TOKEN="tok-1234567") as checker:
        texts = [
            "cannot reach redis://:s3cr3t-word@cache:6379/0",
            f"gave up on {uri}",
            "wrong password pa$$w0rd for admin",
            "api_key=sk-abcdefghijklmnopqrstuvwxyz0123",
            "sent tok-1234567",
        ]
        secrets = ["s3cr3t-word", "pa%24%24w0rd", "pa$$w0rd", "sk-abcdef", "tok-1234567"]

        for text in texts:

            def fail(text: str = text) -> None:
                raise RuntimeError(text)

            checker.register_check("database", fail)
            found = checker.readiness()["checks"]["database"]
            assert found["status"] == "unhealthy"
            assert found["message"].startswith("RuntimeError: ")
            assert not [secret for secret in secrets if secret in found["message"]]
            assert "Traceback" not in found["message"]
            assert __file__ not in found["message"]


def test_a_message_is_one_short_line(checker: HealthChecker) -> None:
    checker.register_check("own", lambda: (False, "first\n  second\x00" + "long " * 1000))
    message = checker.detailed()["checks"]["own"]["message"]
    assert message.startswith("first second")
    assert "\n" not in message
    assert len(message) <= 200


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError])
def test_a_check_that_raises_what_is_no_exception_still_answers(checker: HealthChecker, kind: type[BaseException]) -> None:
    def leave() -> None:
        raise kind

    checker.register_check("own", leave)
    assert checker.detailed()["checks"]["own"]["message"] == kind.__name__


def test_checks_run_side_by_side(checker: HealthChecker) -> None:
    together = threading.Barrier(3)
    for name in ("one", "two", "three"):
        checker.register_check(name, lambda: together.wait(30) >= 0, timeout=30)
    assert checker.detailed()["status"] == "healthy"


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


def test_liveness_answers_while_every_check_hangs(checker: HealthChecker) -> None:
    gate = Gate()
    for name in ("database", "cache", "own"):
        checker.register_check(name, gate, timeout=20, readiness=True)
    waiting = threading.Thread(target=checker.detailed, daemon=True)
    waiting.start()
    wait_for(lambda: gate.runs == 3, "the checks to hang")
    assert checker.liveness()["status"] == "healthy"
    assert waiting.is_alive(), "the checks hang until the gate is opened"
    gate.open.set()
    waiting.join(10)


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


def test_draining_turns_readiness_and_leaves_liveness(checker: HealthChecker) -> None:
    ran: list[int] = []
    checker.register_check("database", lambda: ran.append(1) or True, readiness=True)
    drain()
    answer = checker.readiness()
    assert answer["status"] == "unhealthy"
    assert [check["message"] for check in answer["checks"].values()] == ["draining"]
    assert ran == []
    assert checker.liveness()["status"] == "healthy"
    drain(False)
    assert checker.readiness()["status"] == "healthy"


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


def test_the_system_block_tells_of_this_process_and_is_kept_for_five_seconds(checker: HealthChecker) -> None:
    system = checker.detailed()["system"]
    assert system["pid"] == os.getpid()
    assert system["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"platform", "hostname", "threads", "memory"} <= set(system)
    assert 1_000_000 < system["memory"]["rss_bytes"] <= system["memory"]["peak_rss_bytes"] * 2
    assert system["memory"]["rss_bytes"] < system["memory"]["total_bytes"]
    assert checker.detailed()["system"] is system


def test_require_healthy_raises_a_connection_error_only_when_unhealthy(checker: HealthChecker) -> None:
    calls: list[int] = []

    @require_healthy("store")
    def ask(question: int) -> int:
        """Ask."""
        calls.append(question)
        return question * 2

    assert ask.__name__ == "ask"
    assert ask.__doc__ == "Ask."
    checker.register_check("store", lambda: (False, "gone, password=hunter22"))
    with pytest.raises(ConnectionError, match="store is unhealthy: gone") as raised:
        ask(1)
    assert "hunter22" not in str(raised.value)
    checker.register_check("store", lambda: HealthStatus.DEGRADED)
    assert ask(2) == 4
    assert calls == [2]


def test_require_healthy_asks_for_the_database_by_default_and_knows_async_functions(checker: HealthChecker) -> None:
    @require_healthy()
    async def ask() -> str:
        return "answer"

    assert asyncio.run(ask()) == "answer"
    checker.register_check("database", lambda: False)
    with pytest.raises(ConnectionError, match="database is unhealthy: Check failed"):
        asyncio.run(ask())


def test_require_healthy_of_an_unknown_check_says_so(checker: HealthChecker) -> None:
    with pytest.raises(ConnectionError, match="no check is registered under the name 'databse'"):
        require_healthy("databse")(lambda: 1)()


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


def test_the_first_check_is_not_charged_for_importing_the_client() -> None:
    code = (
        "import sys, json; from otel_chatbot.health import get_health_checker, checker; "
        "seen = []; checker.Check.begin = lambda self: (seen.append('pymongo' in sys.modules), exit(print(seen)))[0]; "
        "get_health_checker().readiness()"
    )
    environ = clean_env({"MONGODB_URI": "mongodb://127.0.0.1:1"})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, timeout=60)
    assert (done.stdout, done.stderr) == ("[True]\n", "")


def test_the_checks_of_an_app_without_databases_import_no_client() -> None:
    code = (
        "import sys; from otel_chatbot.health import get_health_checker; answer = get_health_checker().readiness(); "
        "print(answer['status'], answer['checks']['database']['message'], sorted({'pymongo', 'redis'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean_env(), timeout=60)
    assert (done.stdout, done.stderr) == ("healthy not configured []\n", "")


def test_importing_health_imports_no_client_no_flask_and_starts_no_thread() -> None:
    code = (
        "import sys, threading; import otel_chatbot.health; "
        "print(sorted({'flask', 'pymongo', 'redis', 'werkzeug', 'opentelemetry.sdk'} & set(sys.modules)), "
        "threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean_env(), timeout=60)
    assert (done.stdout, done.stderr) == ("[] 1\n", "")
