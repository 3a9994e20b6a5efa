"""gunicorn's workers are recycled, killed and all replaced: what arrives in Prometheus is the truth, in as many series as ever.

The app sends to the real collector, from which Prometheus scrapes; `tests/process/test_workers_exact.py` has all the shapes.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support.arbiter import children
from support.distro import App
from support.pipeline import SERVICE, Collector, Prometheus
from support.process import wait_for
from support.proofs import record_proof
from support.workers import APP, OTLP, Load, Shape, ask, growing, leader

from otel_chatbot.render import scrape
from otel_chatbot.render.scrape import Addresses
from otel_chatbot.testing import OtlpSink

pytestmark = pytest.mark.timeout(1800)  # it may have to build the collector

LABELS = '{http_request_method="GET",http_route="/work",http_response_status_code="200"}'


@pytest.mark.parametrize("workers", [1, 4])
def test_prometheus_has_the_truth_in_a_series_each_however_many_workers_there_were(
    tmp_path: Path, workers: int, scale: int
) -> None:
    requests = 400 * scale
    folder = tmp_path / "app"
    (folder / "tmp").mkdir(parents=True)
    command = Shape("gthread", workers, "python:otel_chatbot.gunicorn").command(max(20, requests // 16))
    with OtlpSink() as store, Collector(tmp_path / "collector", store.endpoint) as collector:
        send = {name: value for name, value in collector.app_environment().items() if value is not None}
        env = {**send, **OTLP, "TMPDIR": str(folder / "tmp"), "LOG_BYTES": "10000000"}
        with App(folder, env, APP, command, path="/health/live") as app:
            at = Addresses(
                collector=f"127.0.0.1:{collector.ports['prometheus']}",
                collector_itself=f"127.0.0.1:{collector.ports['metrics']}",
                apps=(f"127.0.0.1:{app.port}",),
                interval="1s",
                rules="",
            )
            with Prometheus(tmp_path / "prometheus", scrape.prometheus, at) as prometheus:
                killed: list[int] = []

                def kill() -> None:
                    app.wait(lambda: leader(folder) in children(app.pid), "a worker that leads")
                    killed.append(leader(folder))
                    os.kill(killed[0], signal.SIGKILL)

                def reload() -> None:
                    wait_for(lambda: leader(folder) not in (0, *killed), "another worker that leads", 60)
                    app.popen.send_signal(signal.SIGHUP)

                load = Load(app.port, requests // 3, [kill, reload])
                load.run()
                shown = growing(ask(app.port, "/metrics")[1])
                counted = shown[f"chatbot_api_requests_total{LABELS}"]
                assert load.answered <= counted <= load.answered + load.failed

                def arrived() -> bool:
                    return prometheus.value(f'sum(chatbot_api_requests_total{{job="{SERVICE}"}})') == counted

                app.wait(arrived, f"{counted} in Prometheus", 60)
                assert (
                    prometheus.value(f'chatbot_messages_sent_total{{job="{SERVICE}"}}') == shown["chatbot_messages_sent_total"]
                )
                series = {
                    name: len(prometheus.api("series", **{"match[]": f'{name}{{job="{SERVICE}"}}'}))  # all that ever were
                    for name in (
                        "chatbot_messages_sent_total",
                        "chatbot_api_requests_total",
                        "chatbot_response_time_seconds_count",
                    )
                }
            assert app.end(timeout=60) == 0
    pids = {view.partition(":")[0] for view in (folder / "truth").read_text().split()}
    assert len(pids) > workers
    # Of the requests there is a series without labels besides, which is 0 from the start.
    assert series == {
        "chatbot_messages_sent_total": 1,
        "chatbot_api_requests_total": 2,
        "chatbot_response_time_seconds_count": 1,
    }
    record_proof(
        f"Recycled workers in Prometheus: {workers}",
        requests_answered=load.answered,
        requests_without_an_answer=load.failed,
        counted=int(counted),
        sum_in_Prometheus=int(counted),
        workers_in_all=len(pids),
        series_of_the_requests=series["chatbot_api_requests_total"],
    )
