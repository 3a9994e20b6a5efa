"""The collector is killed under an app's load, the app is killed, too, and both come back: everything arrives at the store."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from support.outage import BATCH_SECONDS, METRICS_SECONDS, Arrived, Load, exports_lag, gunicorn, spool_of
from support.pipeline import Collector
from support.process import wait_for
from support.proofs import record_proof

from otel_chatbot.testing import OtlpSink

pytestmark = pytest.mark.timeout(1800)  # the first of these tests may have to build the collector


def requests_by_run(collector: Collector) -> dict[str, float]:
    """What Prometheus gets as the number of the app's answers, by run of the app."""
    return {
        sample.labels["instance"]: sample.value
        for family in text_string_to_metric_families(collector.metrics())
        for sample in family.samples
        if sample.name == "chatbot_api_requests_total" and sample.labels.get("http_route") == "/r/<int:number>"
    }


def sick_for_a_while(port: int) -> int:
    """Play a collector that takes nothing until it was asked for each signal; how often it was asked."""
    asked: list[str] = []
    with OtlpSink(port) as sick:
        sick.answer = lambda path: asked.append(path) or 503  # type: ignore[func-returns-value]
        wait_for(lambda: len(set(asked)) == 3, "a question for each signal", 180)
    return len(asked)


def test_an_outage_of_the_collector_with_a_kill_of_the_app_in_it_loses_nothing(tmp_path: Path, scale: int) -> None:
    outage = min(60.0, 3.0 * scale)
    with OtlpSink() as store, Collector(tmp_path / "gateway", store.endpoint, "gateway") as gateway:
        to_gateway = {"GATEWAY_ENDPOINT": f"127.0.0.1:{gateway.ports['otlp_grpc']}"}
        with Collector(tmp_path / "agent", store.endpoint, "agent", env=to_gateway) as agent:
            endpoint, folder = agent.url("otlp_http"), tmp_path / "app"
            with gunicorn(folder, endpoint) as app:
                with Load(app.port) as load:
                    wait_for(lambda: len(Arrived([store]).spans) > 20 and len(Arrived([store]).logs) > 20, "what is sent", 60)
                    wait_for(lambda: requests_by_run(agent), "metrics of the first run", 60)
                    first = set(requests_by_run(agent))
                    agent.end(signal.SIGKILL)
                with Load(app.port, first=1_000_000) as away:
                    wait_for(lambda: len(away.answered) > 20 and spool_of(folder), "requests during the outage", 60)
                    time.sleep(outage / 2)
                    wait_for(lambda: exports_lag(folder) < 2 * BATCH_SECONDS, "a machine that is not late", 60)
                    killed = time.monotonic()
                    os.killpg(app.pid, signal.SIGKILL)
                app.popen.wait(10)
            with gunicorn(folder, endpoint) as app, Load(app.port, first=2_000_000) as restarted:
                wait_for(lambda: len(restarted.answered) > 20, "requests after the restart", 60)
                time.sleep(outage / 2)
                refused = sick_for_a_while(agent.ports["otlp_http"])
                agent.start()
                wait_for(lambda: not spool_of(folder), "what was on disk", 300)
                restarted.__exit__()
                wait_for(lambda: not spool_of(folder), "an empty spool", 60)
                app.end()
                assert spool_of(folder) == []
            answered = {**load.answered, **away.answered, **restarted.answered}
            surely = {
                number
                for number, (end, _) in answered.items()
                if number not in away.answered or killed - end > BATCH_SECONDS + 1.0
            }

            def lacking() -> set[int]:
                arrived = Arrived([store])
                return (surely - arrived.spans.keys()) | (surely - arrived.logs.keys())

            # The store is in this process, and the more is asked of it, the slower it is.
            wait_for(lambda: not lacking(), "all spans and log records", 120, every=1.0)
            runs = requests_by_run(agent)
    arrived = Arrived([store])
    for numbers in (arrived.spans, arrived.logs):
        assert numbers.keys() - answered.keys() <= set(range(1_000_000, 2_000_000)), "answers that the kill cut off"
    assert len(runs) == 2, "two runs"
    assert len(first) == 1
    old, new = (sum(total for run, total in runs.items() if (run in first) is before) for before in (True, False))
    assert new == len(restarted.answered)
    counted = sum(1 for end, _ in away.answered.values() if killed - end > METRICS_SECONDS + 1.0)
    assert len(load.answered) + counted <= old <= len(load.answered) + len(away.answered) + 4
    record_proof(
        "An outage of the collector under load, the app killed with -9 in it",
        seconds_of_outage=outage,
        requests=len(answered),
        spans_lost=len(answered.keys() - arrived.spans.keys()),
        log_records_lost=len(answered.keys() - arrived.logs.keys()),
        # What was on its way at a kill, and batches of the collector's whose answer it had waited for too long.
        spans_twice=sum(times - 1 for times in arrived.span_ids.values()),
        log_records_twice=sum(times - 1 for times in arrived.logs.values()),
        metric_totals_of_the_two_runs=f"{old:g}, {new:g}",
        answers_of_503=refused,
    )
