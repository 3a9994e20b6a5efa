"""The end of a process: flushed, within its budget, with the exit code it would have had; nothing lost on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.distro import APP, App, instrumented
from support.process import Process, clean_env, free_port

from otel_chatbot.testing import OtlpSink

SLOW = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_BLRP_SCHEDULE_DELAY": "60000", "OTEL_METRIC_EXPORT_INTERVAL": "60000"}
FAST = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "300"}

WORKER = """
import logging, os, signal, sys, time
from opentelemetry import trace
from otel_chatbot import messages_sent
{before}
with trace.get_tracer("t").start_as_current_span("work"):
    messages_sent.inc(5)
    logging.getLogger("app").warning("working")
print("ready", flush=True)
{after}
"""


def worker(folder: Path, env: dict[str, str], before: str = "", after: str = "time.sleep(60)", name: str = "worker") -> Process:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "worker.py").write_text(WORKER.format(before=before, after=after))
    process = Process(instrumented(sys.executable, "worker.py"), folder, env, name)
    process.wait(lambda: "ready" in process.stdout, "the worker")
    return process


def arrived(sink: OtlpSink) -> None:
    """Everything that the worker recorded is there, once."""
    assert [span.name for span in sink.spans()] == ["work"]
    assert "working" in [record.body.string_value for record in sink.logs()]
    sent = [metric for _, metric in sink.metrics() if metric.name == "chatbot.messages.sent"]
    assert [point.as_double for point in sent[-1].sum.data_points] == [5.0]


def test_a_sigterm_flushes_all_signals_and_ends_the_process_by_the_signal(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    process = worker(tmp_path, {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint})
    assert process.end() == -signal.SIGTERM
    arrived(otlp_sink)
    assert not list((tmp_path / "logs" / "spool").glob("*.otlp"))


@pytest.mark.parametrize(
    ("after", "code"), [("", 0), ("sys.exit(3)", 3), ("raise SystemExit('why')", 1)], ids=["end", "exit", "error"]
)
def test_an_end_of_its_own_flushes_and_keeps_the_exit_code(tmp_path: Path, otlp_sink: OtlpSink, after: str, code: int) -> None:
    with worker(tmp_path, {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}, after=after) as process:
        assert process.popen.wait(20) == code
    arrived(otlp_sink)


def test_ctrl_c_flushes(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    process = worker(tmp_path, {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint})
    assert process.end(signal.SIGINT) == -signal.SIGINT
    arrived(otlp_sink)


def test_ctrl_c_ends_by_its_signal_though_something_is_imported_at_exit(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    before = "import atexit; atexit.register(lambda: exec('import this'))"
    process = worker(tmp_path, {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}, "import otel_chatbot; " + before)
    assert process.end(signal.SIGINT) == -signal.SIGINT
    arrived(otlp_sink)


def test_a_handler_that_the_app_installs_is_the_one_that_runs(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    before = "signal.signal(signal.SIGTERM, lambda *_: (print('mine', flush=True), sys.exit(9)))"
    process = worker(tmp_path, {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}, before)
    assert process.end() == 9
    assert "mine" in process.stdout
    arrived(otlp_sink)


def test_a_handler_that_was_there_before_is_called(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    (tmp_path / "app.py").write_text(
        "import signal, sys, time, os\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('first', flush=True), os._exit(8)))\n"
        "import otel_chatbot; otel_chatbot.instrument()\n"
        "otel_chatbot.messages_sent.inc(5)\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    env = {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}
    process = Process([sys.executable, "app.py"], tmp_path, env)
    process.wait(lambda: "ready" in process.stdout, "the app")
    assert process.end() == 8
    assert "first" in process.stdout
    assert [m.name for _, m in otlp_sink.metrics() if m.name == "chatbot.messages.sent"]


@pytest.mark.parametrize("server", ["", "from gevent import monkey; monkey.patch_all()\n"], ids=["threads", "gevent"])
def test_a_handler_that_lets_the_app_finish_may_take_its_time(tmp_path: Path, otlp_sink: OtlpSink, server: str) -> None:
    (tmp_path / "app.py").write_text(
        server
        + "import logging, signal, time\nfrom opentelemetry import trace\ntold = []\n"
        + "signal.signal(signal.SIGTERM, lambda *_: told.append(1))\n"
        + "import otel_chatbot; otel_chatbot.instrument()\n"
        + "def work(name):\n"
        + "    with trace.get_tracer('t').start_as_current_span(name):\n"
        + "        otel_chatbot.messages_sent.inc(5)\n        logging.getLogger('app').warning(name)\n"
        + "work('before')\nprint('ready', flush=True)\nwhile not told: time.sleep(0.01)\nwork('after')\n"
    )
    env = {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}
    process = Process([sys.executable, "app.py"], tmp_path, env)
    process.wait(lambda: "ready" in process.stdout, "the app")
    assert process.end() == 0, process.stderr
    assert [span.name for span in otlp_sink.spans()] == ["before", "after"]
    assert {"before", "after"} <= {record.body.string_value for record in otlp_sink.logs()}
    sent = [metric for _, metric in otlp_sink.metrics() if metric.name == "chatbot.messages.sent"]
    assert [point.as_double for metric in (sent[0], sent[-1]) for point in metric.sum.data_points] == [5.0, 10.0]


def test_a_server_of_gevent_flushes_at_a_sigterm_and_ends_by_it(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    serve = "from gevent.pywsgi import WSGIServer\n    WSGIServer(('127.0.0.1', int(os.environ['PORT'])), app).serve_forever()"
    source = APP.replace('app.run(port=int(os.environ["PORT"]), use_reloader=False)', serve)
    source = f"from gevent import monkey; monkey.patch_all()\nimport otel_chatbot; otel_chatbot.instrument()\n{source}"
    env = {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}
    with App(tmp_path, env, source, [sys.executable, "app.py"]) as app:
        assert app.end() == -signal.SIGTERM, app.stderr
    assert [span.name for span in otlp_sink.spans()] == ["GET /"]
    assert "hello from the app" in {record.body.string_value for record in otlp_sink.logs()}
    assert "Traceback" not in app.stderr


def test_an_ignored_sigterm_stays_ignored(tmp_path: Path) -> None:
    source = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); import otel_chatbot; otel_chatbot.instrument(); "
    code = source + "print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean_env(), capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
@pytest.mark.parametrize("kind", ["refused", "black hole", "garbage"])
def test_an_endpoint_that_is_away_costs_no_more_than_the_budget_and_loses_nothing(tmp_path: Path, kind: str, how: int) -> None:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if kind != "refused":
            listener.listen(50)
        if kind == "garbage":
            threading.Thread(target=_answer_garbage, args=(listener,), daemon=True).start()
        env = {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "CHATBOT_OTEL_SHUTDOWN_TIMEOUT": "2"}
        env["OTEL_EXPORTER_OTLP_TIMEOUT"] = "90000"  # what the end would take if it waited for an answer
        process = worker(tmp_path, env)
        began = time.monotonic()
        assert process.end(how, timeout=120) == -how
        assert time.monotonic() - began < 45, "the budget, and what Python and a busy machine need beside it"
    kept = {path.name.split(".")[1] for path in (tmp_path / "logs" / "spool").glob("*.otlp")}
    assert kept == {"traces", "logs", "metrics"}


def _answer_garbage(listener: object) -> None:
    while True:
        try:
            connection, _ = listener.accept()  # type: ignore[attr-defined]
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(b"what?\r\n\r\n")


def test_what_could_not_be_sent_is_sent_by_the_next_run(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    worker(tmp_path, {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}).end()
    assert list((tmp_path / "logs" / "spool").glob("*.otlp"))
    worker(tmp_path, {**SLOW, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}, name="second").end()
    assert [span.name for span in otlp_sink.spans()] == ["work", "work"]
    assert not list((tmp_path / "logs" / "spool").glob("*.otlp"))


@pytest.mark.parametrize("endpoint", [True, False], ids=["with an endpoint", "without"])
def test_the_reloader_serves_from_its_child_and_its_parent_stays_silent(
    tmp_path: Path, otlp_sink: OtlpSink, endpoint: bool
) -> None:
    source = APP.replace("use_reloader=False", "debug=True")
    env = {**FAST, **({"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint} if endpoint else {})}
    with App(tmp_path, env, source, path="/health/live") as app:
        app.get()
        app.wait(
            lambda: otlp_sink.spans() and list(otlp_sink.metrics()) if endpoint else app.spans_on_disk(),
            "the child's telemetry",
        )
        app.end()
    if endpoint:
        writers = {resource["process.pid"] for resource, _ in otlp_sink.spans_with_resource()}
        assert len(writers) == 1
        assert app.pid not in writers
        assert len({resource["service.instance.id"] for resource, _ in otlp_sink.metrics()}) == 1
    else:
        assert [path.name for path in (tmp_path / "logs").glob("traces*")] == ["traces.otlp.jsonl"]
    starts = [line for line in app.log_lines() if line["logger"] == "otel_chatbot" and line["level"] == "INFO"]
    assert len(starts) == 1
