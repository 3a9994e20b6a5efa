"""The checker: one per process, what it shows where, how checks add up, and draining."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from support.health import Gate, fresh_health
from support.process import clean_env, wait_for

from otel_chatbot.health import (
    HealthChecker,
    HealthStatus,
    drain,
    get_health_checker,
    require_healthy,
)


@pytest.fixture
def checker() -> Iterator[HealthChecker]:
    with fresh_health(CHATBOT_OTEL_HEALTH_TIMEOUT="0.3") as fresh:
        yield fresh


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


def test_checks_run_side_by_side(checker: HealthChecker) -> None:
    together = threading.Barrier(3)
    for name in ("one", "two", "three"):
        checker.register_check(name, lambda: together.wait(30) >= 0, timeout=30)
    assert checker.detailed()["status"] == "healthy"


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
