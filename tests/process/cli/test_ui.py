"""`otel-chatbot ui` as a process: killed and started again, sent to by stock exporters, beside an app whose files it reads."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from support.distro import App
from support.process import wait_for
from support.viewer import Viewer, chat, trace_request

LIMIT = 60.0


def test_what_was_acknowledged_is_there_after_a_kill_in_the_middle(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    with Viewer(tmp_path) as viewer:

        def send() -> None:
            for number in range(1, 100_000):
                status, _ = viewer.post("/v1/traces", trace_request(*chat(number, number)))
                if status != 200:
                    return
                acknowledged.append(number)

        sender = threading.Thread(target=send)
        sender.start()
        wait_for(lambda: len(acknowledged) >= 100, "some traces", LIMIT)
        viewer.process.end(signal.SIGKILL)
        sender.join(LIMIT)
        assert not sender.is_alive()
    with Viewer(tmp_path) as again:
        assert "unreadable" not in again.process.stderr
        last = acknowledged[-1]
        assert 3 * last <= again.ask("state")["spans"] <= 3 * (last + 1)
        for number in (1, last // 2, last):
            assert len(again.ask(f"traces/{number:032x}")["spans"]) == 3


def test_a_stock_opentelemetry_app_appears_with_its_spans_records_and_metrics(tmp_path: Path) -> None:
    resource = Resource({"service.name": "stock"})
    with Viewer(tmp_path) as viewer:
        tracing = TracerProvider(resource=resource)
        tracing.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{viewer.url}/v1/traces")))
        logging = LoggerProvider(resource=resource)
        logging.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{viewer.url}/v1/logs")))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{viewer.url}/v1/metrics"), 3_600_000)
        metering = MeterProvider([reader], resource=resource)

        with tracing.get_tracer("stock").start_as_current_span("outer") as outer:
            with tracing.get_tracer("stock").start_as_current_span("inner", attributes={"word": "marzipan"}):
                logging.get_logger("stock").emit(body="a record", severity_number=SeverityNumber.WARN)
            outer.record_exception(ValueError("in vain"))
        counter = metering.get_meter("stock").create_counter("stock.sold", unit="{piece}")
        timing = metering.get_meter("stock").create_histogram(
            "stock.time", unit="s", explicit_bucket_boundaries_advisory=[1.0, 2.0]
        )
        for value in (1, 2, 3):
            counter.add(value, {"shelf": "top"})
            timing.record(value)
        metering.force_flush()

        [found] = viewer.ask("traces", text="marzipan")["traces"]
        assert found["name"] == "outer"
        trace = viewer.ask(f"traces/{found['trace']}")
        assert [(span["name"], len(span["events"])) for span in trace["spans"]] == [("outer", 1), ("inner", 0)]
        assert [(log["body"], log["span"]) for log in trace["logs"]] == [("a record", trace["spans"][1]["span"])]
        [series] = viewer.ask("metrics/stock.sold")["series"]
        assert (series["value"], series["attributes"], series["service"]) == (6, {"shelf": "top"}, "stock")
        [timed] = viewer.ask("metrics/stock.time")["series"]
        assert (timed["count"], timed["value"], timed["p50"]) == (3, 6, 1.5)
        for provider in (tracing, logging, metering):
            provider.shutdown()
        assert viewer.process.end(signal.SIGINT) == 0
        assert viewer.process.stderr == ""


@pytest.mark.parametrize("sends", [False, True], ids=["read from its files", "sent by OTLP"])
def test_an_app_is_found_without_a_word_and_told_of_once(tmp_path: Path, sends: bool) -> None:
    (tmp_path / "runs").mkdir()
    apart = {"TMPDIR": str(tmp_path / "runs")}
    with Viewer(tmp_path / "viewer", None, env=apart) as viewer:
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": viewer.url, "OTEL_METRIC_EXPORT_INTERVAL": "300"} if sends else {}
        env = {
            **apart,
            **told,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_BLRP_SCHEDULE_DELAY": "100",
            "OTEL_SERVICE_NAME": "found",
        }
        with App(tmp_path / "app", env) as app:
            for _ in range(2):  # beside that with which the app was waited for
                assert app.get()[0] == 200
            wait_for(lambda: len(viewer.ask("traces")["traces"]) >= 3, "three traces", LIMIT)
            wait_for(lambda: requests_of(viewer) == 3, "three requests", LIMIT)
            wait_for(lambda: len(hellos(viewer)) >= 3, "three lines", LIMIT)
            assert viewer.ask("state")["folders"] == ([] if sends else [str(tmp_path / "app" / "logs")])
            assert app.get()[0] == 200
            wait_for(lambda: len(hellos(viewer)) >= 4, "the fourth line", LIMIT)
            wait_for(lambda: len(viewer.ask("traces")["traces"]) >= 4, "the fourth trace", LIMIT)
            found = viewer.ask("traces")
        assert [one["name"] for one in found["traces"]] == ["GET /"] * 4
        assert {one["service"] for one in found["services"].values()} == {"found"}
        assert len(hellos(viewer)) == 4
        assert all(line["trace"] for line in hellos(viewer))


def requests_of(viewer: Viewer) -> float | None:
    [found] = [one["value"] for one in viewer.ask("now", window=0)["figures"] if one["title"] == "Requests"]
    return found


def hellos(viewer: Viewer) -> list[Any]:
    return [line for line in viewer.ask("logs", text="hello")["logs"] if line["body"] == "hello from the app"]


def test_a_taken_port_and_a_file_that_cannot_be_are_one_line_each(tmp_path: Path) -> None:
    from support.process import Process, program

    with Viewer(tmp_path / "first") as viewer:
        command = [program("otel-chatbot", "run `make setup`"), "ui", "--port", str(viewer.port), "--data"]
        for folder, data, words in (
            ("taken", str(tmp_path / "second.sqlite"), "cannot be had"),
            ("bad", "/proc/no/such.sqlite", "cannot be used"),
        ):
            with Process([*command, data], tmp_path / folder) as process:
                assert process.popen.wait(LIMIT) == 1
                [line] = process.stderr.splitlines()
                assert words in line
                assert "--port" in line or "--data" in line
