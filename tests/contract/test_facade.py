"""The facade: every public name is there, typed and lazy; importing configures nothing, creates nothing, loads little."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.process import clean_env, program

import otel_chatbot

# The public names, as the users of the old home-made utilities import them.
HEALTH = "HealthChecker HealthStatus get_health_checker create_health_blueprint require_healthy"
LOGS = "ChatbotLogger setup_logger get_logger JsonFormatter ColoredFormatter LogOperation LogEvents"
METRICS = """
Counter Gauge Histogram MetricsRegistry registry get_all_metrics get_prometheus_metrics reset_all_metrics
create_metrics_blueprint track_time count_calls track_errors
conversations_created messages_sent messages_received cache_hits cache_misses db_queries errors_total api_requests
active_conversations active_users cache_size db_connections
response_time db_query_time ai_response_time cache_operation_time
"""
NAMES = sorted(f"{HEALTH} {LOGS} {METRICS} instrument".split())


def run(code: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=cwd, env=clean_env(env), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_every_name_is_public_and_the_list_is_sorted() -> None:
    assert set(NAMES) <= set(otel_chatbot.__all__)
    assert sorted(otel_chatbot.__all__) == otel_chatbot.__all__
    assert len(set(otel_chatbot.__all__)) == len(otel_chatbot.__all__)
    assert set(otel_chatbot.__all__) <= set(dir(otel_chatbot))


@pytest.mark.parametrize("name", otel_chatbot.__all__)
def test_every_name_can_be_imported_by_itself_in_a_fresh_process(name: str, tmp_path: Path) -> None:
    done = run(f"from otel_chatbot import {name}; print({name} is not None)", tmp_path)
    assert (done.stdout, done.stderr) == ("True\n", "")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        otel_chatbot.nonsense  # type: ignore[attr-defined]
    with pytest.raises(ImportError):
        exec("from otel_chatbot import nonsense")


def test_importing_loads_no_sdk_and_no_library_of_the_app_and_creates_no_file(tmp_path: Path) -> None:
    done = run("import sys, json, otel_chatbot; print(json.dumps(sorted(sys.modules)))", tmp_path)
    assert done.stderr == ""
    loaded = set(json.loads(done.stdout))
    heavy = {"flask", "pymongo", "redis", "openai", "opentelemetry", "prometheus_client", "asyncio", "concurrent_log_handler"}
    assert {name.partition(".")[0] for name in loaded} & heavy == set()
    rooms = {name.split(".")[1] for name in loaded if name.startswith("otel_chatbot.")}
    assert rooms <= {"_guard", "variables"}, "what mends the environment before OpenTelemetry reads it, and nothing else"
    assert list(tmp_path.iterdir()) == []


def test_asking_for_every_name_loads_neither_the_sdk_nor_a_library_of_the_app(tmp_path: Path) -> None:
    done = run(
        "import sys, json; from otel_chatbot import *; errors_total.get(); get_all_metrics(); get_prometheus_metrics();"
        "get_logger(); get_health_checker();"
        "print(json.dumps(sorted(sys.modules)))",
        tmp_path,
    )
    assert done.stderr == ""
    loaded = set(json.loads(done.stdout))
    assert {name.partition(".")[0] for name in loaded} & {"flask", "pymongo", "redis", "openai", "prometheus_client"} == set()
    assert {name for name in loaded if name.startswith("opentelemetry.sdk")} == set()
    assert list(tmp_path.iterdir()) == []


def test_the_one_liner_prints_three_lines_and_creates_no_file(tmp_path: Path) -> None:
    done = run(
        "from otel_chatbot import get_logger, get_health_checker, get_all_metrics; print('Logger:', get_logger()); "
        "print('Health:', get_health_checker()); print('Metrics:', len(get_all_metrics()))",
        tmp_path,
    )
    assert done.stderr == ""
    logger, health, metrics = done.stdout.splitlines()
    assert logger == "Logger: <Logger chatbot (INFO)>"
    assert health.startswith("Health: <")
    assert "HealthChecker object at 0x" in health
    assert metrics == "Metrics: 16"
    assert list(tmp_path.iterdir()) == []


def test_a_star_import_gives_every_name_to_a_package_of_the_app(tmp_path: Path) -> None:
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils" / "__init__.py").write_text("from otel_chatbot import *\n")
    done = run(f"import utils; print([name for name in {NAMES} if not hasattr(utils, name)])", tmp_path, PYTHONPATH=".")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_first_count_of_a_plain_program_works_without_any_set_up(tmp_path: Path) -> None:
    done = run(
        "from otel_chatbot import Counter, conversations_created, get_all_metrics, response_time\n"
        "conversations_created.inc(); response_time.observe(0.2); orders = Counter('shop.orders'); orders.inc(3)\n"
        "figures = get_all_metrics()\n"
        "print(figures['chatbot_conversations_created_total']['value'],"
        " figures['chatbot_response_time_seconds']['count'], orders.get())",
        tmp_path,
    )
    assert done.stdout == "1 1 3\n", done.stderr


TYPED = """
from otel_chatbot import {names}
from otel_chatbot import __version__

reveal_type(errors_total)
reveal_type(get_all_metrics)
reveal_type(create_metrics_blueprint)
reveal_type(__version__)

@track_time(response_time)
def answer(question: str) -> int:
    return len(question)

reveal_type(answer)
errors_total.inc(1, error_type="KeyError")
from otel_chatbot import nonsense
"""


def test_strict_mypy_users_see_the_names_and_their_types(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(TYPED.format(names=", ".join(otel_chatbot.__all__)))
    command = [program("mypy", "run `make setup`"), "--strict", "--no-error-summary", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [*command, "--python-executable", sys.executable, "app.py"],
        cwd=tmp_path, env=clean_env(), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    lines = [line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("app.py")]
    assert lines == [
        'note: Revealed type is "otel_chatbot.metrics.instruments.Counter"',
        'note: Revealed type is "def () -> dict[str, dict[str, Any]]"',
        'note: Revealed type is "def () -> flask.blueprints.Blueprint"',
        'note: Revealed type is "str"',
        'note: Revealed type is "def (question: str) -> int"',
        'error: Module "otel_chatbot" has no attribute "nonsense"  [attr-defined]',
    ], done.stdout + done.stderr
