"""The dashboard of MongoDB and Redis: commands, cache and pools of what is chosen; the servers' own view apart."""

from __future__ import annotations

import pytest
from support.promql import labels, names, panels

from otel_chatbot.render.boards import databases
from otel_chatbot.semconv import collector as c
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec

*OURS, SERVERS = databases.BOARD.rows
OUR_EXPRESSIONS = [query.expr for row in OURS for panel in row.panels for query in panel.queries]
SHOWN = {name for expression in OUR_EXPRESSIONS for name in names(expression)}
WANTED = (
    m.DB_QUERIES, m.DB_QUERY_TIME, m.DB_CLIENT_DURATION, m.CACHE_HITS, m.CACHE_MISSES, m.CACHE_SIZE, m.CACHE_OPERATION_TIME,
    m.CONNECTION_COUNT, m.CONNECTION_MAX, m.CONNECTION_PENDING, m.CONNECTION_WAIT_TIME, m.CONNECTION_USE_TIME,
    m.CONNECTION_TIMEOUTS,
)  # fmt: skip


@pytest.mark.parametrize("spec", WANTED, ids=lambda spec: spec.name)
def test_a_figure_of_databases_is_on_it(spec: MetricSpec) -> None:
    parts = ("_bucket", "_sum", "_count") if spec.kind is Kind.HISTOGRAM else ("",)
    assert SHOWN & {spec.prometheus + part for part in parts}


@pytest.mark.parametrize("expression", OUR_EXPRESSIONS)
def test_each_question_is_of_what_is_chosen(expression: str) -> None:
    assert labels(expression) >= {"job", "deployment_environment_name", "instance"}


def test_what_the_collector_asks_the_servers_is_in_a_row_that_asks_nothing_until_it_is_opened() -> None:
    asked = {name for panel in SERVERS.panels for query in panel.queries for name in names(query.expr)}
    assert asked == {spec.prometheus for spec in c.OF_SERVERS}
    assert SERVERS.collapsed
    assert not any(row.collapsed for row in OURS)
    assert not {label for panel in SERVERS.panels for query in panel.queries for label in labels(query.expr)} & {
        "job",
        "instance",
    }


def test_a_hit_ratio_is_of_all_reads_and_low_is_bad() -> None:
    ratios = [panel for panel in panels(databases.BOARD.json()) if panel["title"] == "Hit ratio"]
    assert len(ratios) == 2
    for panel in ratios:
        assert "chatbot_cache_misses_total" in panel["targets"][0]["expr"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0] == {"color": "red", "value": None}
