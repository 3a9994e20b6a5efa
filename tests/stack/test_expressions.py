"""Every expression of dashboards and rules, asked of real Prometheus servers after a run in which everything happens.

One Prometheus is behind the collector, the other asks the app itself; both have the shipped rules. Macros and variables are
put in as Grafana would.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from support import promql
from support.pipeline import Pipeline, Prometheus
from support.process import wait_for
from support.servers import MongoServer, RedisServer

from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import collector as c
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv import prometheus as p
from otel_chatbot.semconv.spec import label_name, sample_names

pytestmark = pytest.mark.timeout(1800)  # the first of these tests may have to build the collector

APP = Path(__file__).parent / "apps" / "savings.py"
SERIES_LIMIT = 60
WAYS = ("collector", "direct")

NEVER = {
    c.SEND_FAILED[a.Signal.METRICS].prometheus: "metrics are scraped from the collector, and not sent",
    p.ALERTS.prometheus: "no alert has had the time to fire",
    m.LEDGER_UNAVAILABLE.prometheus: "the ledger is there",
}
"""What does not happen in the run: the only metrics that may be missing."""
GAUGES = {m.CACHE_SIZE.prometheus, m.DB_CONNECTIONS.prometheus}
"""An app that sets them by hand, without attributes, takes them from their automatic source: this one does not."""
ONLY_COLLECTOR = {spec.prometheus for spec in c.ALL}
"""What a Prometheus that asks the app alone cannot know."""


@dataclass
class Run:
    """A pipeline in which everything has happened twice, so that rates see it."""

    pipeline: Pipeline

    def way(self, name: str) -> Prometheus:
        return self.pipeline.prometheus if name == "collector" else self.pipeline.direct

    def ways(self) -> list[Prometheus]:
        return [self.way(name) for name in WAYS]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer, redis_server: RedisServer) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("expressions")
    env = {
        "CHATBOT_OTEL_SERIES_LIMIT": str(SERIES_LIMIT),
        "CHATBOT_OTEL_BUDGETS": "app month 1 tokens; app month 100 USD; user month 100 tokens",
        "MONGODB_URI": f"{mongo_server.uri}expressions?maxPoolSize=1&waitQueueTimeoutMS=2",
        "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.2.3",
        "CHATBOT_OTEL_FEEDBACK_HEADER": "X-Answer-Id",
    }
    rules = str(promql.ROOT / "prometheus/rules/*.yml")
    with Pipeline(folder, mongo=mongo_server, redis=redis_server, rules=rules, interval="2s", env=env, app=APP) as pipeline:
        found = Run(pipeline)
        for number in range(2):
            everything(pipeline, number)
            settle(found, number)
        yield found


def everything(pipeline: Pipeline, number: int) -> None:
    """Chats, cached ones, streamed ones, a conversation, failures of every kind, more models than there may be series."""
    stack = pipeline.stack
    stack.get("/health/ready")
    stack.get("/health/detailed")
    for text in (f"hello {number}", f"hello {number}", "hello for ever"):
        told = stack.chat(text, user_id="ada").headers["X-Answer-Id"]
        stack.post("/feedback", {"answer_id": told, "score": "up"})
        stack.post("/feedback", {"answer_id": f"{told}x", "score": "up"})
    conversation = stack.chat(f"once upon a time {number}").json["conversation_id"]
    stack.stream(f"/chunks 6 /slow 0.2 and then? {number}", conversation_id=conversation)
    stack.stream(f"/chunks 6 /slow 0.2 and then? {number}", conversation_id=conversation, model="gpt-4o")
    stack.get(f"/conversations/{conversation}")
    stack.get("/no-such-page")
    stack.post("/saved", {})
    stack.chat(f"/fail 500 {number}")
    pipeline.mongo.fail("insert")
    stack.chat(f"the database fails {number}")
    with ThreadPoolExecutor(8) as threads:  # for the one connection that there is
        list(threads.map(lambda one: stack.chat(f"all at once {number} {one}"), range(24)))
    for one in range(SERIES_LIMIT):
        stack.chat(f"/chunks 1 {number}", model=f"model-{number}-{one}")
    with Redis.from_url(pipeline.stack.redis.url) as redis:  # type: ignore[union-attr]
        redis.client_kill_filter(_type="normal", skipme=True)
    stack.chat("connections were cut off")
    refused_by_the_store(pipeline, number)


def refused_by_the_store(pipeline: Pipeline, number: int) -> None:
    """The store says that traces and logs are wrong: the collector gives them up."""
    refused = set[str]()

    def refuse(path: str) -> int:
        refused.add(path)
        return 400

    pipeline.store.answer = refuse
    try:
        pipeline.stack.chat(f"nobody keeps a trace of this {number}")
        wait_for(lambda: {"/v1/traces", "/v1/logs"} <= refused, "the store refused traces and logs")
    finally:
        pipeline.store.answer = lambda _path: 200


def settle(run: Run, number: int) -> None:
    """Wait until both have scraped and recorded what happened: twice, so that the next round is an increase."""
    wanted = run.pipeline.stack.total(m.API_REQUESTS.prometheus)
    for way in WAYS:
        counted(run.way(way), wanted, f"round {number} by way of {way}")
    given_up = c.SEND_FAILED[a.Signal.LOGS].prometheus
    behind = run.way("collector")
    wait_for(lambda: (behind.value(f"sum({given_up})") or 0) > 0, "logs that were given up", timeout=30)
    seen = behind.value(f"count_over_time({p.UP.prometheus}{{job='collector'}}[1h])") or 0
    wait_for(lambda: (behind.value(f"count_over_time({p.UP.prometheus}{{job='collector'}}[1h])") or 0) >= seen + 3, "scrapes")


def counted(prometheus: Prometheus, wanted: float, what: str, timeout: float = 60.0) -> None:
    """Wait until so many requests are known; what is, and what is wrong with the scrapes, is in the error."""
    end = time.monotonic() + timeout
    while (found := prometheus.value(f"sum({m.API_REQUESTS.prometheus})") or 0) < wanted:
        assert time.monotonic() < end, f"{what}: {found} requests of {wanted}; targets: {prometheus.targets()}"
        time.sleep(0.2)


def asked(*kinds: str) -> dict[str, str]:
    """What must answer, by where it stands: an alert's expressions without its thresholds, which hide what is well."""
    found = {}
    for question in promql.questions():
        if question.kind not in kinds or (question.legend == "without attributes" and promql.names(question.expr) & GAUGES):
            continue
        whole = promql.substituted(question.expr)
        for number, expr in enumerate(promql.values(whole) if question.kind == "alert" else [whole]):
            found[f"{question.where} ({question.kind} {number})"] = expr
    return found


def silent(prometheus: Prometheus, expressions: dict[str, str]) -> str:
    """Those that have no answer, a line each; asked again for some seconds, for on a busy machine a scrape may fail."""
    end = time.monotonic() + 15
    left = expressions
    while left := {where: expr for where, expr in left.items() if not prometheus.query(expr)}:
        if time.monotonic() > end:
            break
        time.sleep(0.5)
    return "\n".join(f"{where}: {expr}" for where, expr in left.items())


@pytest.mark.parametrize("way", WAYS)
def test_every_rule_answers(run: Run, way: str) -> None:
    of_collector = set(c.ALL) if way == "direct" else set()
    unknown = {spec.prometheus for spec in of_collector} | set(NEVER)
    rules = {where: expr for where, expr in asked("alert", "record").items() if not promql.names(expr) & unknown}
    assert silent(run.way(way), rules) == ""


@pytest.mark.parametrize("way", WAYS)
def test_what_happened_is_an_answer_of_its_own_and_not_the_zero_that_stands_in(run: Run, way: str) -> None:
    excused = set(NEVER) | (ONLY_COLLECTOR if way == "direct" else set())
    bare = {where: promql.without_zero(expr) for where, expr in asked("panel", "alert", "record").items()}
    answering = {where: expr for where, expr in bare.items() if not promql.names(expr) & excused}
    assert len(answering) > 150
    assert silent(run.way(way), answering) == ""


@pytest.mark.parametrize("way", WAYS)
def test_a_value_without_a_name_is_in_no_panel(run: Run, way: str) -> None:
    """The series that is 0 from the start has no attributes: in a panel by attribute it would be a line without a name.

    So has the series of all that is over the limit of series, which is shown.
    """
    over = {labels["__name__"] for labels, _ in run.way(way).query(f'{{{label_name(a.OVERFLOW)}="true"}}')}
    nameless = {
        question.where: (labels, value)
        for question in promql.questions()
        if question.kind == "panel" and question.legend.startswith("{{") and not promql.names(question.expr) & over
        for labels, value in run.way(way).query(promql.substituted(question.expr))
        if not labels.get(question.legend.removeprefix("{{").partition("}}")[0])
    }
    assert over
    assert nameless == {}


@pytest.mark.parametrize("way", WAYS)
def test_every_metric_and_label_that_an_expression_names_is_there(run: Run, way: str) -> None:
    excused = set(NEVER) | (ONLY_COLLECTOR if way == "direct" else set())
    prometheus = run.way(way)
    there = set(prometheus.api("label/__name__/values"))
    labels = set(prometheus.api("labels"))
    for question in promql.questions():
        wanted = promql.names(question.expr)
        assert wanted - excused <= there, f"{question.where} asks for what nobody tells"
        if not wanted & excused:
            assert promql.labels(question.expr) <= labels, f"{question.where} asks for labels that nobody has"


@pytest.mark.parametrize("way", WAYS)
def test_every_metric_of_the_package_came_out_of_the_run(run: Run, way: str) -> None:
    there = set(run.way(way).api("label/__name__/values"))
    assert [spec.name for spec in m.ALL if not (there | NEVER.keys()) & set(sample_names(spec))] == []


@pytest.mark.parametrize("way", WAYS)
def test_every_variable_has_values(run: Run, way: str) -> None:
    prometheus = run.way(way)
    for uid, board in promql.dashboards().items():
        for variable in board["templating"]["list"]:
            query = promql.LABEL_VALUES.fullmatch(promql.substituted(variable["query"]["query"]))
            assert query, f"{uid}: {variable['query']}"
            found = prometheus.api(f"label/{query['label']}/values", **{"match[]": query["series"]})
            assert found, f"{uid}: ${variable['name']} has no values"
            chosen = {variable["name"]: found[0]}
            asked = [target["expr"] for panel in promql.panels(board) for target in panel["targets"]]
            one = next(expr for expr in asked if f"${variable['name']}" in expr)
            assert silent(prometheus, {f"{uid} for {chosen}": promql.substituted(one, **chosen)}) == ""


@pytest.mark.parametrize("way", WAYS)
def test_a_version_is_marked_when_it_appears(run: Run, way: str) -> None:
    for uid, board in promql.dashboards().items():
        [mark] = board["annotations"]["list"]
        versions = {labels.get("service_version") for labels, _ in run.way(way).query(promql.substituted(mark["expr"]))}
        assert versions == {"1.2.3"}, uid


@pytest.mark.parametrize("way", WAYS)
def test_no_rule_fails(run: Run, way: str) -> None:
    groups = run.way(way).api("rules")["groups"]
    assert [group["name"] for group in groups]
    assert [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")] == []
    assert all(rule["health"] == "ok" for group in groups for rule in group["rules"])


@pytest.mark.parametrize("way", WAYS)
def test_the_versions_are_those_of_the_app(run: Run, way: str) -> None:
    found = run.way(way).query(f'{p.TARGET_INFO.prometheus}{{service_version="1.2.3"}}')
    assert [labels["job"] for labels, _ in found] == ["chatbot"]
    assert all(labels["telemetry_distro_version"] for labels, _ in found)


def test_when_the_app_has_stopped_the_alert_of_missing_data_says_which(
    tmp_path: Path, mongo_server: MongoServer, redis_server: RedisServer
) -> None:
    [alert] = [rule for rule in promql.rules() if rule.get("alert") == "ChatbotNoData"]
    soon = alert["expr"].replace("[5m]", "[3s]")
    assert soon != alert["expr"]
    with Pipeline(tmp_path, mongo=mongo_server, redis=redis_server) as pipeline:
        direct = pipeline.direct
        assert {labels.get("job") for labels, _ in direct.query(soon)} <= {None}
        wait_for(lambda: direct.query(f"{m.API_REQUESTS.prometheus}"), "the app's first figures")
        assert direct.query(soon) == []
        pipeline.stack.stop()
        wait_for(lambda: direct.query(soon), "the alert", timeout=20)
        time.sleep(0.1)
        [(labels, value)] = direct.query(soon)
        assert (labels, value) == ({"job": "chatbot", "deployment_environment_name": "development"}, 1.0)
