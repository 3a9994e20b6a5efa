"""Starting an app under the distribution: what appears, where it goes, and what the standard variables do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.distro import APP, App, instrumented, plant
from support.process import clean_env, free_port, get, wait_for

from otel_chatbot.testing import OtlpSink, attributes

FAST = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "300"}


def run(folder: Path, source: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "script.py").write_text(source)
    return subprocess.run(
        instrumented(sys.executable, "script.py"), cwd=folder, env=clean_env(env), capture_output=True, text=True, timeout=60
    )


def test_without_an_endpoint_traces_and_logs_are_on_disk_and_the_network_is_left_alone(tmp_path: Path) -> None:
    with App(tmp_path, FAST) as app:
        assert app.get()[1] == "hello"
        app.wait(lambda: app.spans_on_disk() and app.log_lines(), "traces and logs on disk")
        app.end()
        spans = [span for span in app.spans_on_disk() if span["kind"] in (2, "SPAN_KIND_SERVER")]
        lines = [line for line in app.log_lines() if line["logger"] == "app"]
    assert {line["trace_id"] for line in lines} <= {span["traceId"] for span in spans}
    assert lines
    assert "rror" not in app.stderr
    assert not (tmp_path / "logs" / "spool").exists()


def test_a_process_that_does_nothing_leaves_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "print('hi')")
    assert (done.stdout, done.stderr, done.returncode) == ("hi\n", "", 0)
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


def test_with_an_endpoint_all_three_signals_arrive_with_one_resource(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    env = {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint, "OTEL_SERVICE_NAME": "bot"}
    with App(tmp_path, env) as app:
        app.get()
        assert otlp_sink.wait(lambda sink: bool(sink.spans() and sink.logs() and list(sink.metrics())), 20)
        app.end()
    resource, span = otlp_sink.spans_with_resource()[0]
    assert resource["service.name"] == "bot"
    assert resource["process.pid"] == app.pid
    assert resource["telemetry.distro.name"] == "otel-chatbot"
    assert resource["deployment.environment.name"] == "development"
    records = [record for record in otlp_sink.logs() if record.body.string_value == "hello from the app"]
    assert {record.trace_id for record in records} <= {found.trace_id for found in otlp_sink.spans()}
    assert records
    names = {metric.name for _, metric in otlp_sink.metrics()}
    assert {"chatbot.api.requests", "http.server.request.duration", "chatbot.response.time"} <= names
    for found, _ in otlp_sink.metrics():
        assert found["service.name"] == "bot"
        assert "process.pid" not in found
        assert found["service.instance.id"]
    assert not [path for path in (tmp_path / "logs").iterdir() if path.name.startswith("traces")]
    assert app.log_lines(), "the files are written with an endpoint, too"
    assert span.name == "GET /"


def test_metrics_that_arrive_equal_what_happened_and_have_exemplars(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    with App(tmp_path, {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}, path="/health/live") as app:
        for _ in range(7):
            app.get()
        app.end()
    last: dict[str, object] = {}
    for _, metric in otlp_sink.metrics():
        last[metric.name] = metric
    requests = last["chatbot.api.requests"].sum  # type: ignore[attr-defined]
    assert sum(point.as_double for point in requests.data_points) == 7
    assert requests.is_monotonic
    times = [p for p in last["chatbot.response.time"].histogram.data_points if p.count]  # type: ignore[attr-defined]
    assert sum(point.count for point in times) == 7
    traces = {span.trace_id for span in otlp_sink.spans()}
    exemplars = [exemplar for point in times for exemplar in point.exemplars]
    assert exemplars
    assert {exemplar.trace_id for exemplar in exemplars} <= traces


@pytest.mark.parametrize("variable", ["OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"])
def test_none_switches_one_signal_off(tmp_path: Path, otlp_sink: OtlpSink, variable: str) -> None:
    with App(tmp_path, {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint, variable: "none"}) as app:
        app.get()
        assert otlp_sink.wait(lambda sink: len({path for path, _ in sink.requests}) == 2, 20)
        app.end()
    off = "/v1/" + variable.split("_")[1].lower()
    assert off not in {path for path, _ in otlp_sink.requests}
    assert not list((tmp_path / "logs").glob("traces*"))


def test_the_console_exporter_prints_spans(tmp_path: Path) -> None:
    with App(tmp_path, {**FAST, "OTEL_TRACES_EXPORTER": "console"}) as app:
        app.get()
        app.wait(lambda: '"name": "GET /"' in app.stdout, "a span on the console")


def test_a_disabled_sdk_exports_and_writes_nothing_and_the_app_and_its_health_go_on(
    tmp_path: Path, otlp_sink: OtlpSink
) -> None:
    env = {**FAST, "OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}
    with App(tmp_path, env) as app:
        assert app.get()[0] == 200
        assert app.get("/health/live")[0] == 200
        app.end()
    assert otlp_sink.requests == []
    assert not (tmp_path / "logs").exists()


def test_an_instrumentation_that_is_disabled_upstream_is_disabled_here(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    env = {**FAST, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask", "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}
    with App(tmp_path, env) as app:
        assert app.get("/health/live")[0] == 404
        app.get()
        assert otlp_sink.wait(lambda sink: bool(sink.logs()), 20)
        app.end()
    assert otlp_sink.spans() == []


def test_grpc_without_its_extra_costs_one_clear_line(tmp_path: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    done = run(tmp_path, "import otel_chatbot; print('hi')", env)
    assert done.returncode == 0
    assert done.stdout == "hi\n"
    assert done.stderr.count("\n") == 1
    assert "otel-chatbot[grpc]" in done.stderr


def test_an_exporter_that_nobody_offers_costs_one_clear_line(tmp_path: Path) -> None:
    done = run(tmp_path, "print('hi')", {"OTEL_TRACES_EXPORTER": "cheese"})
    assert done.stderr.count("\n") == 1
    assert "OTEL_TRACES_EXPORTER=cheese" in done.stderr


def test_delta_temporality_costs_one_clear_line(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    env = {
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint,
    }
    done = run(tmp_path, "print('hi')", env)
    assert done.stderr.count("\n") == 1
    assert "cumulativetodelta" in done.stderr


def test_wrong_settings_are_warned_of_on_the_console(tmp_path: Path) -> None:
    done = run(tmp_path, "print('hi')", {"CHATBOT_OTEL_LOG_LEVEL": "loud", "CHATBOT_OTEL_LOGDIR": "x"})
    assert "CHATBOT_OTEL_LOG_LEVEL='loud'" in done.stderr
    assert "did you mean CHATBOT_OTEL_LOG_DIR" in done.stderr
    assert done.stdout == "hi\n"


def test_one_line_says_what_was_set_up_in_the_files_and_not_on_the_console(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    env = {
        **FAST,
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint.replace("http://", "http://user:hunter2@"),
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=hunter3",
        "CHATBOT_OTEL_ENDPOINT_TOKEN": "hunter4",
        "CHATBOT_OTEL_ACTIVE_WINDOW": "60",
    }
    source = APP.replace("app = Flask", "logging.basicConfig(level='INFO')\napp = Flask")
    with App(tmp_path, env, source) as app:
        app.get()
        app.wait(lambda: any(line["logger"] == "otel_chatbot" for line in app.log_lines()), "the line at start")
        app.end()
    (line,) = [line["message"] for line in app.log_lines() if line["logger"] == "otel_chatbot" and line["level"] == "INFO"]
    assert re.match(r"otel-chatbot \d+\.\d+", line)
    for part in ("traces otlp", "flask", "CHATBOT_OTEL_ACTIVE_WINDOW=60", "CHATBOT_OTEL_ENDPOINT_TOKEN=****"):
        assert part in line
    for secret in ("hunter2", "hunter3", "hunter4"):
        assert secret not in line
    assert "otel-chatbot" not in app.stderr + app.stdout


def test_where_another_distro_wins_ours_is_set_up_before_the_instrumentors(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    source = """
from opentelemetry.instrumentation.distro import BaseDistro
from opentelemetry.sdk._configuration import _OTelSDKConfigurator

class Distro(BaseDistro):
    def _configure(self, **kwargs):
        pass

class Configurator(_OTelSDKConfigurator):
    pass
"""
    groups = {
        "opentelemetry_distro": "aaa = aaa_distro:Distro",
        "opentelemetry_configurator": "aaa = aaa_distro:Configurator",
    }
    planted = plant(tmp_path / "site", "aaa_distro", source, groups)
    env = {
        **FAST,
        "PYTHONPATH": str(planted),
        "OTEL_PYTHON_DISTRO": "aaa",
        "OTEL_PYTHON_CONFIGURATOR": "aaa",
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint,
    }
    with App(tmp_path / "app", env) as app:
        assert app.get("/health/live")[0] == 200
        app.get()
        assert otlp_sink.wait(lambda sink: bool(sink.spans() and sink.logs() and list(sink.metrics())), 20)
        app.end()
    roots = [span for span in otlp_sink.spans() if span.name == "GET /"]
    assert len(roots) == 1 + 1, "the one that waited for the app, and ours: one span a request"
    assert "already instrumented" not in app.stderr


def test_instrument_from_inside_the_app_does_the_same(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    source = "import otel_chatbot\notel_chatbot.instrument()\notel_chatbot.instrument()\n" + APP
    env = {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}
    with App(tmp_path, env, source, [sys.executable, "app.py"]) as app:
        assert app.get("/health/live")[0] == 200
        app.get()
        assert otlp_sink.wait(lambda sink: bool(sink.spans() and sink.logs() and list(sink.metrics())), 20)


def test_a_provider_that_the_app_made_is_used_and_its_export_is_not_doubled(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    source = (
        """
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

theirs = TracerProvider(resource=Resource.create({"service.name": "theirs"}))
theirs.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(theirs)
import otel_chatbot
otel_chatbot.instrument()
"""
        + APP
    )
    env = {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}
    with App(tmp_path, env, source, [sys.executable, "app.py"]) as app:
        app.get()
        assert otlp_sink.wait(lambda sink: bool(sink.spans()), 20)
        app.end()
    ids = [span.span_id for span in otlp_sink.spans()]
    assert len(ids) == len(set(ids))
    assert "Overriding" not in app.stderr
    assert {resource["service.name"] for resource, _ in otlp_sink.metrics()} == {"theirs"}


def test_a_meter_of_the_app_is_exported_with_ours_and_shown_by_the_routes(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    source = APP.replace(
        "log = logging",
        "from opentelemetry import metrics\n"
        "orders = metrics.get_meter('shop').create_counter('shop.orders', unit='{order}')\nlog = logging",
    ).replace('    log.info("hello', '    orders.add(2, {"kind": "tea"})\n    log.info("hello')
    with App(tmp_path, {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}, source, path="/health/live") as app:
        app.get()
        app.get()
        assert 'shop_orders_total{kind="tea"} 4.0' in app.get("/metrics")[1]
        app.end()
    last = [metric for _, metric in otlp_sink.metrics() if metric.name == "shop.orders"][-1]
    assert [(attributes(p.attributes), p.as_double) for p in last.sum.data_points] == [({"kind": "tea"}, 4.0)]


def test_a_prometheus_reader_that_the_user_asks_for_has_our_metrics(tmp_path: Path) -> None:
    port = free_port()
    env = {**FAST, "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)}
    with App(tmp_path, env, path="/health/live") as app:
        app.get()
        wait_for(lambda: "chatbot_api_requests_total" in get(f"http://127.0.0.1:{port}/metrics")[1], "the reader's port")


def test_a_plain_app_exports_metrics_and_logs_and_sets_no_global_provider(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    (tmp_path / "script.py").write_text(
        "import logging\n"
        "from opentelemetry import metrics, trace\n"
        "from otel_chatbot import messages_sent\n"
        "messages_sent.inc(3)\n"
        "logging.getLogger('shop').warning('low on tea')\n"
        "print(type(trace.get_tracer_provider()).__name__, type(metrics.get_meter_provider()).__name__)\n"
    )
    env = clean_env({**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint})
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout == "ProxyTracerProvider _ProxyMeterProvider\n", done.stderr
    assert done.stderr == "low on tea\n"
    (sent,) = [m for _, m in otlp_sink.metrics() if m.name == "chatbot.messages.sent"][-1:]
    assert [point.as_double for point in sent.sum.data_points] == [3.0]
    assert [record.body.string_value for record in otlp_sink.logs()] == ["low on tea"]


def test_a_plain_app_without_an_endpoint_imports_no_sdk_and_leaves_no_file(tmp_path: Path) -> None:
    code = (
        "import sys; from otel_chatbot import messages_sent; messages_sent.inc(); "
        "print(messages_sent.get(), [name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean_env(), capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("1 []\n", "")
    assert list(tmp_path.iterdir()) == []


def test_the_start_imports_no_library_that_the_app_has_not_imported(tmp_path: Path) -> None:
    libraries = (
        "flask",
        "pymongo",
        "bson",
        "redis",
        "cachelib",
        "openai",
        "anthropic",
        "httpx",
        "requests",
        "genai_prices",
        "grpc",
    )
    source = f"import sys; print(sorted({set(libraries)!r} & set(sys.modules)))"
    done = run(tmp_path, source, {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"})
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_a_probe_of_an_app_without_databases_imports_no_client_of_one(tmp_path: Path) -> None:
    source = (
        "import sys; from otel_chatbot.health.checker import get_health_checker; "
        "checks = get_health_checker().readiness()['checks']; "
        "print([check['message'] for check in checks.values()], sorted({'pymongo', 'redis', 'cachelib'} & set(sys.modules)))"
    )
    done = run(tmp_path, source)
    assert (done.stdout, done.returncode) == ("['not configured', 'not configured'] []\n", 0), done.stderr


def test_secrets_are_masked_in_spans_and_records_before_they_leave(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    source = APP.replace(
        '    log.info("hello from the app")', '    raise ValueError("mail jane@example.com failed, password=hunter2")'
    )
    with App(tmp_path, {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}, source) as app:
        app.get("/?token=hunter2")
        assert otlp_sink.wait(lambda sink: bool(sink.spans() and sink.logs()), 20)
        app.end()
    everything = b"".join(otlp_sink.bodies) + json.dumps(app.log_lines()).encode()
    assert b"ValueError" in everything
    assert b"hunter2" not in everything
    assert b"jane@example.com" not in everything


NOISY = """
import logging, os, warnings
from flask import Flask, current_app

{setup}
app = Flask(__name__)

@app.get("/")
def index():
    logging.getLogger("library").warning("a library warns")
    logging.getLogger("library").info("a library informs")
    current_app.logger.error("the app complains")
    return "hello"

@app.get("/crash")
def crash():
    raise RuntimeError("crash")

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), use_reloader=False)
"""
SETUPS = {
    "none": "",
    "basicConfig": "logging.basicConfig(level='INFO', format='%(levelname)s %(name)s %(message)s')",
    "dictConfig": "import logging.config\nlogging.config.dictConfig({'version': 1, 'handlers': {'h': {'class': 'logging.StreamHandler'}}, "
    "'root': {'level': 'INFO', 'handlers': ['h']}})",
}


@pytest.mark.parametrize("setup", SETUPS)
def test_the_console_prints_the_same_with_and_without_us(tmp_path: Path, otlp_sink: OtlpSink, setup: str) -> None:
    source = NOISY.replace("{setup}", SETUPS[setup])
    printed = []
    for name, command in (("plain", [sys.executable, "app.py"]), ("ours", [])):
        env = {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint, "NO_COLOR": "1"}
        with App(tmp_path / name, env, source, command, path="/nowhere") as app:
            app.get()
            app.get("/crash")
            app.end()
        text = re.sub(
            rf"{app.port}|\d\d:\d\d:\d\d[.,]?\d*|/{name}/|\[\d\d/\w+/20\d\d [^\]]*\]|\[20\d\d-[^\]]*\]",
            "*",
            app.stdout + "|" + app.stderr,
        )
        printed.append(re.sub(r".*GET /nowhere.*\n", "", text))
    assert "a library warns" in printed[0]
    assert "RuntimeError: crash" in printed[0]
    assert printed[1] == printed[0]
