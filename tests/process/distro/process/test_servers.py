"""Servers other than gunicorn that use several processes: werkzeug's, and any that is given a common folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support.distro import App
from support.workers import (
    APP,
    OTLP,
    Poller,
    ask,
    growing,
    growing_json,
    points_of,
    viewed_in_logs,
    viewed_in_spans,
)

from otel_chatbot.testing import OtlpSink

WERKZEUG = (
    APP
    + """
if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), processes=int(os.environ["PROCESSES"]), threaded=False, use_reloader=False)
"""
)
REQUESTS = 'chatbot_api_requests_total{http_request_method="GET",http_route="/work",http_response_status_code="200"}'


@contextmanager
def serving(folder: Path, sink: OtlpSink, **env: str) -> Iterator[App]:
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    common = {**OTLP, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint, "TMPDIR": str(folder / "tmp"), "LOG_BYTES": "10000000"}
    with App(folder, {**common, "PROCESSES": "1", **env}, WERKZEUG, path="/health/live") as app:
        yield app


def load(app: App, requests: int) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert {answer[0] for answer in pool.map(lambda _: ask(app.port, "/work"), range(requests))} == {200}


def last(sink: OtlpSink, name: str) -> float:
    found = [metric for _, metric in sink.metrics() if metric.name == name]
    return sum(point.as_double for point in points_of(found[-1])) if found else 0.0


def test_a_process_for_each_request_loses_no_figure_no_span_and_no_record(
    tmp_path: Path, otlp_sink: OtlpSink, scale: int
) -> None:
    requests = min(60 * scale, 600)
    with serving(tmp_path, otlp_sink, PROCESSES="4") as app:
        text, figures = Poller(app.port, "/metrics", growing), Poller(app.port, "/metrics/json", growing_json)
        with text, figures:
            load(app, requests)
        assert text.falls + figures.falls == []
        assert text.readings > 2
        assert growing(ask(app.port, "/metrics")[1])[REQUESTS] == requests
        app.wait(
            lambda: last(otlp_sink, "shop.orders") == requests, "what other libraries count, which a process tells at its end"
        )
        app.wait(lambda: last(otlp_sink, "chatbot.api.requests") == requests, "the export of the server's process")
        app.wait(lambda: len(viewed_in_spans(otlp_sink)) == len(viewed_in_logs(otlp_sink)) == requests, "every span and record")
        assert app.end() == -signal.SIGTERM
    views = (tmp_path / "truth").read_text().split()
    assert len({view.partition(":")[0] for view in views}) == len(views) == requests
    for arrived in (viewed_in_spans(otlp_sink), viewed_in_logs(otlp_sink)):
        assert {view for view, pid in arrived.items() if not view.startswith(f"{pid}:")} == set()
    assert len({resource["service.instance.id"] for resource, _ in otlp_sink.metrics()}) == 1
    assert "Traceback" not in app.stderr


def test_processes_that_a_foreign_server_starts_are_one_app_by_a_common_folder(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    """As supervisord, honcho or systemd start several of the same, each on a port of its own."""
    common = {"CHATBOT_OTEL_MULTIPROC_DIR": str(tmp_path / "common"), "CHATBOT_OTEL_SPOOL_DIR": str(tmp_path / "spool")}
    with ExitStack() as stack:
        apps = [stack.enter_context(serving(tmp_path / name, otlp_sink, **common)) for name in "abc"]
        for number, app in enumerate(apps, 1):
            load(app, 10 * number)
        assert [growing(ask(app.port, "/metrics")[1])[REQUESTS] for app in apps] == [60, 60, 60]
        apps[2].end(signal.SIGKILL)
        apps[2] = stack.enter_context(serving(tmp_path / "c", otlp_sink, **common))
        load(apps[2], 5)
        assert [growing(ask(app.port, "/metrics")[1])[REQUESTS] for app in apps] == [65, 65, 65]
        apps[0].wait(lambda: last(otlp_sink, "chatbot.api.requests") == 65, "the export")
        for app in apps:
            app.end()
    assert last(otlp_sink, "chatbot.api.requests") == 65
    assert len({resource["service.instance.id"] for resource, _ in otlp_sink.metrics()}) == 1
    with serving(tmp_path / "d", otlp_sink, **common) as app:
        load(app, 3)
        assert growing(ask(app.port, "/metrics")[1])[REQUESTS] == 3
    assert len({resource["service.instance.id"] for resource, _ in otlp_sink.metrics()}) == 2
