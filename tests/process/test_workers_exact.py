"""gunicorn's workers come and go under load, one is killed, all are replaced: every figure stays, and equals the truth.

Each shape runs once (see `support.workers`); the tests look at what it left behind from different sides.
"""

from __future__ import annotations

import itertools
import json
import operator
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache

import pytest
from support.proofs import record_proof
from support.workers import CLIENTS, START, Evidence, Shape, points_of, run, series_of, viewed_in_logs, viewed_in_spans

from otel_chatbot.testing import attributes

SHAPES = [
    Shape("sync", 4),
    Shape("gthread", 4, "python:otel_chatbot.gunicorn", preload=True),
    Shape("gthread", 4, "instrument()"),
    Shape("gevent", 4, "python:otel_chatbot.gunicorn"),
    Shape("gevent", 1, preload=True),
    Shape("sync", 16, preload=True),
]
SCALED = os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1") != "1"
if SCALED:  # in `make proof`, all of them
    SHAPES = [
        Shape(kind, workers, start, preload)
        for kind in ("sync", "gthread", "gevent")
        for workers in (4, 1, 16)
        for start in START
        for preload in (False, True)
        if workers == 4 or (start != "instrument()" and preload == start.startswith("python:"))
    ]
LAST_SECOND = 1.5 if SCALED else 5.0
"""What a process that is killed may have kept to itself of figures that others count, of spans and of log records.

A second by design; a machine that runs other things at the same time makes more of it.
"""

Runs = Callable[[Shape], Evidence]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, scale: int) -> Runs:
    @cache
    def once(shape: Shape) -> Evidence | Exception:
        requests = (1000 if shape.workers == 4 else 500) * scale
        try:
            return run(tmp_path_factory.mktemp("workers") / "app", shape, requests if SCALED else requests * 3 // 5)
        except Exception as error:
            return error

    def of(shape: Shape) -> Evidence:
        found = once(shape)
        if isinstance(found, Exception):
            raise found
        return found

    return of


def in_the_last_second(found: Evidence, view: str) -> bool:
    """Whether a view was one of the last of the worker that was killed."""
    return view.startswith(f"{found.killed}:") and found.views[view] > found.killed_at - LAST_SECOND


REQUESTS = 'chatbot_api_requests_total{http_request_method="GET",http_route="/work",http_response_status_code="200"}'


@each_shape
def test_no_figure_falls_on_any_workers_page(runs: Runs, shape: Shape) -> None:
    found = runs(shape)
    assert found.falls == []
    assert found.readings > 20
    assert found.pids & found.before_reload, "views ran before the reload"
    assert found.pids - found.before_reload - {found.killed}, "and in workers that replaced those"
    assert len(found.readers) > 1, "and several were asked"


@each_shape
def test_all_workers_show_the_same_when_nothing_happens_any_more(runs: Runs, shape: Shape) -> None:
    found = runs(shape)
    assert len(found.last) == shape.workers
    first_text, first_figures = next(iter(found.last.values()))
    for text, figures in found.last.values():
        assert text == first_text
        assert figures == first_figures
    summed: dict[str, float] = defaultdict(float)
    for series, value in first_text.items():
        if "_total" in series:
            summed[series.partition("{")[0]] += value
    assert summed == {name: value for name, value in first_figures.items() if name.endswith("_total")}


@each_shape
def test_counters_and_histograms_equal_the_truth(runs: Runs, shape: Shape) -> None:
    found = runs(shape)
    counted = found.shown(REQUESTS)
    # Nothing of what was answered is missing, not even of the worker that was killed; and what it was killed over is in
    # the hands of the clients that got no answer.
    assert found.answered <= counted <= found.answered + found.failed
    assert found.failed <= CLIENTS
    assert len(found.views) <= found.shown("chatbot_messages_sent_total") <= found.answered + found.failed
    labels = REQUESTS.partition("{")[2].rstrip("}")
    for name in ("chatbot_response_time_seconds", "http_server_request_duration_seconds"):
        counts = [
            value for series, value in found.last[next(iter(found.last))][0].items() if series.startswith(f"{name}_count")
        ]
        assert abs(sum(counts) - counted) <= found.failed, "one of the three may be in the middle of being counted"
    assert found.shown(f"chatbot_response_time_seconds_count{{{labels}}}") in (counted, counted + 1)
    assert found.shown(f'chatbot_response_time_seconds_bucket{{{labels},le="+Inf"}}') in (counted, counted + 1)
    # What others count is shared once a second: the killed worker's last second may be missing.
    last = sum(in_the_last_second(found, view) for view in found.views)
    for series in ("shop_orders_total", "shop_size_count", 'shop_size_bucket{le="10.0"}'):
        assert len(found.views) - last <= found.shown(series) <= found.shown("chatbot_messages_sent_total")
    record_proof(
        f"Counting under gunicorn: {shape}",
        requests_answered=found.answered,
        counted=int(counted),
        requests_without_an_answer=found.failed,
        workers_in_all=len(found.pids),
        readings_of_both_pages=found.readings,
        figures_that_fell=len(found.falls),
        sum_over_OTLP=int(sum(point.as_double for point in found.exported("chatbot.api.requests"))),
        series_over_OTLP=len(series_of(found.sink)),
        service_instance_ids=len({resource["service.instance.id"] for resource, _ in found.sink.metrics()}),
        payloads_left_on_disk=found.left_on_disk,
        seconds_of_load=found.seconds,
        seconds_to_end=found.ending,
    )


@each_shape
def test_over_otlp_the_app_is_one_source_whose_sums_grow_to_the_truth(runs: Runs, shape: Shape) -> None:
    found = runs(shape)
    assert len({json.dumps(resource, sort_keys=True) for resource, _ in found.sink.metrics()}) == 1
    starts: set[int] = set()
    values: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    for _, metric in found.sink.metrics():
        kind = metric.WhichOneof("data")
        if kind == "gauge" or (kind == "sum" and not metric.sum.is_monotonic):
            continue
        assert getattr(metric, kind).aggregation_temporality == 2
        for point in points_of(metric):
            starts.add(point.start_time_unix_nano)
            figures = (point.as_double,) if kind == "sum" else (point.count, point.sum, *point.bucket_counts)
            values[metric.name, json.dumps(attributes(point.attributes), sort_keys=True)].append(figures)
    assert len(starts) == 1
    for series, seen in values.items():
        for before, after in itertools.pairwise(seen):
            assert all(map(operator.le, before, after)), f"{series} fell"
    last = {name: sum(figures[-1][0] for (other, _), figures in values.items() if other == name) for name, _ in values}
    assert last["chatbot.api.requests"] == found.shown(REQUESTS)
    assert last["chatbot.messages.sent"] == found.shown("chatbot_messages_sent_total")
    assert last["chatbot.response.time"] == found.shown("chatbot_response_time_seconds_count" + REQUESTS[REQUESTS.index("{") :])
    assert last["shop.orders"] == found.shown("shop_orders_total")
    assert last["shop.size"] == found.shown("shop_size_count")


@each_shape
def test_the_lead_of_the_export_passes_on_when_the_leader_is_killed(runs: Runs, shape: Shape) -> None:
    found = runs(shape)
    assert found.killed in found.pids
    assert found.leader_after not in (0, found.killed)
    assert min(found.export_times()) < found.killed_at
    assert len(found.export_times(after=found.killed_at)) > 1


@each_shape
def test_spans_and_log_records_arrive_under_the_id_of_their_own_process(runs: Runs, shape: Shape) -> None:
    found = runs(shape)
    for arrived in (viewed_in_spans(found.sink), viewed_in_logs(found.sink)):
        assert {view for view, pid in arrived.items() if view != f"{pid}:{view.partition(':')[2]}"} == set()
        missing = found.views.keys() - arrived.keys()
        assert [view for view in missing if not in_the_last_second(found, view)] == []
        assert len(arrived.keys() - found.views.keys()) <= found.failed


@each_shape
def test_every_line_is_in_the_rotated_files_once(runs: Runs, shape: Shape) -> None:
    found = runs(shape)
    lines: Counter[str] = Counter()
    files = sorted((found.app.folder / "logs").glob("chatbot.json.log*"))
    for path in files:
        for line in path.read_text().splitlines():
            message = json.loads(line)["message"]
            if message.startswith("work "):
                lines[message[5:]] += 1
    assert {line: count for line, count in lines.items() if count != 1} == {}
    assert found.views.keys() - lines.keys() == set()
    assert len(lines.keys() - found.views.keys()) <= found.failed
    assert len(files) > 5


@each_shape
def test_nothing_is_complained_of(runs: Runs, shape: Shape) -> None:
    found = runs(shape)
    assert found.code == 0
    for word in ("Traceback", "WORKER TIMEOUT", "Warning", "telemetry fault", "Exception"):
        assert word not in found.app.stderr


def test_the_number_of_series_does_not_depend_on_how_many_workers_there_were(runs: Runs) -> None:
    bare = {str(shape): {(name, _without_resource(text)) for name, text in series_of(runs(shape).sink)} for shape in SHAPES}
    first = bare[str(SHAPES[0])]
    differing = {shape: sorted(series ^ first) for shape, series in bare.items() if series != first}
    assert differing == {}, f"as against {SHAPES[0]}: {differing}"


def _without_resource(text: str) -> str:
    return json.dumps(json.loads(text)[1], sort_keys=True)
