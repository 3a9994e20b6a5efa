"""A known script through the real stack: each figure, on both ways to Prometheus; the exemplars; every log record, once."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from support.ledger import Books
from support.pipeline import CONFIGURATIONS, SAFE_FILES, SERVICE, Collector, Pipeline, Prometheus
from support.process import wait_for
from support.proofs import record_proof
from support.script import ERRORS_OF_CALLS, Script
from support.servers import MongoServer, RedisServer
from support.taps import MongoTap, RedisTap

from otel_chatbot.semconv.metrics import CHATBOT
from otel_chatbot.semconv.spec import Kind
from otel_chatbot.testing import OtlpSink, attributes

pytestmark = pytest.mark.timeout(1800)  # the first of these tests may have to build the collector

PLANTED = ("ada.lovelace@planted.example", "sk-planted0123456789abcdef", "planted-bearer-0123456789", "a planted sentence")
"""An e-mail address, an API key, a bearer token, and a prompt."""

SEVERITIES = {"DEBUG": 5, "INFO": 9, "WARNING": 13, "ERROR": 17, "CRITICAL": 21}
"""OpenTelemetry's numbers of Python's levels."""


@dataclass
class Run:
    """A pipeline through which the script went, what the script knows, and a second collector that reads the app's log files."""

    pipeline: Pipeline
    books: Books
    files: OtlpSink
    started: float

    def ways(self) -> dict[str, Prometheus]:
        return {"collector": self.pipeline.prometheus, "direct": self.pipeline.direct}


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer, redis_server: RedisServer, scale: int
) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("pipeline")
    started = time.time()
    with (
        MongoTap(mongo_server) as tap,
        Pipeline(folder, mongo=mongo_server, redis=redis_server, app_mongo=tap, server="gunicorn", workers=2) as pipeline,
        OtlpSink() as files,
        Collector(
            folder / "files",
            files.endpoint,
            "logs-from-files",
            env={"CHATBOT_LOG_DIR": str(pipeline.stack.logs)},
            flags=[SAFE_FILES],
        ),
        RedisTap(pipeline.stack.redis) as redis,  # type: ignore[arg-type]
    ):
        script = Script(pipeline.stack)
        script.run(rounds=scale)
        address, key, token, prompt = PLANTED
        script.chat(f"{prompt}: write to {address} with {key}, or Authorization: Bearer {token}", address)
        books = Books(script.ledger, tap, redis, pipeline.stack.model.calls, ERRORS_OF_CALLS)
        yield Run(pipeline, books, files, started)


def eventually(check: Callable[[], object], timeout: float = 30.0) -> None:
    """Repeat a check until it holds; its own AssertionError when it never does."""
    end = time.monotonic() + timeout
    while True:
        try:
            check()
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
        else:
            return


@pytest.mark.parametrize("way", ["collector", "direct"])
def test_each_figure_in_prometheus_equals_the_scripts_own(run: Run, way: str) -> None:
    prometheus = run.ways()[way]
    eventually(lambda: run.books.check(prometheus.samples))
    record_proof(
        f"The example chatbot through Prometheus, {way}",
        requests=run.books.ledger.requests.total(),
        messages=run.books.ledger.sent + run.books.ledger.received,
        series_compared=sum(map(len, {**run.books.series(), **run.books.gauges()}.values())),
        differences=0,
    )


def test_the_sixteen_have_the_same_names_and_labels_on_both_ways(run: Run) -> None:
    names = [f"{spec.prometheus}_count" if spec.kind is Kind.HISTOGRAM else spec.prometheus for spec in CHATBOT]

    def series(prometheus: Prometheus) -> set[object]:
        # A histogram's series without attributes exists on /metrics from the start, over OTLP with its first observation.
        return {key for key, value in prometheus.samples().items() if key[0] in names and (value or "_count" not in key[0])}

    def same() -> None:
        through, direct = map(series, run.ways().values())
        assert through == direct
        assert {name for name, _ in through} == set(names)  # type: ignore[misc]

    eventually(same)


def test_what_prometheus_scrapes_is_there(run: Run) -> None:
    wait_for(lambda: len(run.pipeline.prometheus.targets()) == 3, "three targets scraped")
    assert run.pipeline.prometheus.targets() == {"collector": "", "otelcol": "", "prometheus": ""}
    wait_for(lambda: len(run.pipeline.direct.targets()) == 2, "two targets scraped")
    assert run.pipeline.direct.targets() == {"chatbot": "", "prometheus": ""}
    for prometheus in run.ways().values():
        [(labels, _)] = prometheus.query("chatbot_messages_sent_total")
        assert (labels["job"], labels["deployment_environment_name"]) == (SERVICE, "development")
        assert labels["instance"]


@pytest.mark.parametrize("way", ["collector", "direct"])
def test_exemplars_name_traces_that_the_collector_exported(run: Run, way: str) -> None:
    prometheus = run.ways()[way]
    found: set[str] = set()

    def named() -> bool:
        now = time.time()
        exemplars = prometheus.exemplars("chatbot_response_time_seconds_bucket", run.started, now)
        found.update(exemplar["labels"]["trace_id"] for exemplar in exemplars)
        return bool(found)

    wait_for(named, "an exemplar")
    wait_for(lambda: found <= {span.trace_id.hex() for span in run.pipeline.store.spans()}, "the traces of the exemplars")


def test_spans_become_figures_before_they_are_sampled(run: Run) -> None:
    requests = run.books.ledger.requests
    chats = sum(number for (method, route, *_), number in requests.items() if (method, route) == ("POST", "/chat"))
    counted = 'sum(traces_span_metrics_calls_total{span_kind="SPAN_KIND_SERVER", http_route="/chat", span_name="POST /chat"})'
    eventually(lambda: _equal(run.pipeline.prometheus.value(counted), chats))
    servers = {labels["server"] for labels, _ in run.pipeline.prometheus.query("traces_service_graph_request_total")}
    assert servers >= {"mongodb", "redis", "openai"}


def test_the_servers_own_figures_are_there(run: Run) -> None:
    for name in ("redis_commands_processed_total", "mongodb_operation_count_total", "system_memory_usage_bytes"):
        wait_for(lambda name=name: run.pipeline.prometheus.query(name), name)  # type: ignore[misc]


def test_of_mongodbs_own_figures_the_stand_in_lacks_those_that_are_listed(run: Run) -> None:
    lacking = re.compile(r"failed to collect metric (mongodb[.][a-z_.]+)")
    wait_for(lambda: lacking.search(run.pipeline.collector.stderr), "a scrape of MongoDB")
    found = set(lacking.findall(run.pipeline.collector.stderr))
    page = (CONFIGURATIONS / "README.md").read_text().partition("## On the MongoDB stand-in")[2]
    assert found == set(re.findall(r"`(mongodb[.][a-z_.]+)`", page))


def test_the_collectors_own_figures_have_the_names_that_the_alerts_use(run: Run) -> None:
    for name in (
        "otelcol_exporter_queue_size",
        "otelcol_exporter_queue_capacity",
        "otelcol_receiver_refused_spans_total",
        "otelcol_receiver_accepted_log_records_total",
        "otelcol_exporter_sent_spans_total",
    ):
        wait_for(lambda name=name: run.pipeline.prometheus.query(f'{name}{{job="otelcol"}}'), name)  # type: ignore[misc]


@pytest.mark.parametrize("way", ["OTLP", "files"])
def test_each_log_record_arrives_exactly_once(run: Run, way: str) -> None:
    sink = {"OTLP": run.pipeline.store, "files": run.files}[way]
    arrived: Counter[tuple[int, str, str, str]] = Counter()

    def all_there() -> None:
        nonlocal arrived
        written = Counter(
            (SEVERITIES[line["level"]], line["message"], line.get("trace_id", ""), line.get("span_id", ""))
            for line in run.pipeline.stack.log_records()
        )
        arrived = Counter(
            (record.severity_number, record.body.string_value, record.trace_id.hex(), record.span_id.hex())
            for record in sink.logs()
        )
        assert arrived == written

    eventually(all_there)
    assert arrived.total() > 20
    assert sum(bool(trace) for _, _, trace, _ in arrived) > 10, "records know their traces"


def test_records_from_files_have_their_time_their_fields_and_their_service(run: Run) -> None:
    wait_for(run.files.logs, "log records from files")
    written = {(line["timestamp"], line["message"], line["process_id"]): line for line in run.pipeline.stack.log_records()}
    for record in run.files.logs():
        found = attributes(record.attributes)
        whole, milliseconds = divmod(record.time_unix_nano // 1_000_000, 1000)
        when = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{milliseconds:03d}Z"
        line = written[when, record.body.string_value, found["process_id"]]
        assert record.severity_number > 0
        assert {"logger", "module", "function"} <= found.keys() <= {*line, "log.file.name"}
        assert not {"trace_id", "span_id", "level", "timestamp", "message"} & found.keys()
    groups = [group for path, message in run.files.requests if path == "/v1/logs" for group in message.resource_logs]
    assert {attributes(group.resource.attributes)["service.name"] for group in groups} == {SERVICE}


def test_nothing_that_was_said_or_secret_leaves_the_collector(run: Run) -> None:
    spans = "traces_span_metrics_calls_total"
    wait_for(lambda: run.pipeline.store.spans() and run.pipeline.store.logs(), "spans and log records")
    wait_for(lambda: spans in run.pipeline.collector.metrics(), spans)
    sent = [*run.pipeline.store.bodies, *run.files.bodies, run.pipeline.collector.metrics().encode()]
    assert [secret for secret in PLANTED for body in sent if secret.encode() in body] == []
    assert b"what is a trace" not in b"".join(sent), "a prompt"


def _equal(found: float | None, wanted: float) -> None:
    assert found == wanted
