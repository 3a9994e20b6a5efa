"""Every metric has a panel by its row alone: the metrics, their units and their words."""

from __future__ import annotations

import json

import promql_parser as pp
import pytest
from support.promql import names, panels

from otel_chatbot.render.boards import everything
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec


def test_a_metric_that_is_renamed_changes_every_file_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = everything.panel(m.CACHE_HITS).json(1, 0, 0)
    renamed = MetricSpec("chatbot.cache.found", Kind.COUNTER, "{hit}", "Cache reads that returned a value")
    other = everything.panel(renamed).json(1, 0, 0)
    assert "chatbot_cache_hits_total" in json.dumps(panel)
    assert "chatbot_cache_found_total" in json.dumps(other)
    assert "chatbot_cache_hits_total" not in json.dumps(other)


@pytest.mark.parametrize("spec", m.ALL, ids=lambda spec: spec.name)
def test_every_metric_has_a_default_panel_with_its_unit_and_its_words(spec: MetricSpec) -> None:
    panel = everything.panel(spec).json(1, 0, 0)
    assert panel["description"] == spec.description
    assert spec.prometheus in panel["title"]
    pp.parse(panel["targets"][0]["expr"].replace("$__rate_interval", "1m"))
    if spec.kind is not Kind.COUNTER:
        assert panel["fieldConfig"]["defaults"]["unit"] == {"s": "s", "By": "bytes"}.get(spec.unit, "short")


def test_every_metric_is_there_once_and_the_chatbots_come_first() -> None:
    shown = [name for panel in panels(everything.BOARD.json()) for name in names(panel["targets"][0]["expr"])]
    assert len(shown) == len(m.ALL)
    assert len({*shown}) == len(shown)
    assert everything.BOARD.rows[0].title == "The chatbot's metrics"
    assert len(everything.BOARD.rows[0].panels) == len(m.CHATBOT)
    titles = [row.title for row in everything.BOARD.rows]
    assert len({*titles}) == len(titles), "a family is one row"


@pytest.mark.parametrize(
    ("spec", "title", "expr", "legend"),
    [
        (m.CACHE_HITS, "chatbot_cache_hits_total, per second", "sum by (db_system_name) (rate(", "{{db_system_name}}"),
        (m.CACHE_SIZE, "chatbot_cache_size", "max by (db_system_name) (chatbot_cache_size{", "{{db_system_name}}"),
        (m.HTTP_SERVER_ACTIVE, "http_server_active_requests", "sum by (http_request_method, url_scheme) (", None),
        (
            m.RESPONSE_TIME,
            "chatbot_response_time_seconds, p95",
            "histogram_quantile(0.95, sum by (http_request_method, http_route, le) (",
            None,
        ),
        (
            m.SPOOL_SIZE,
            "chatbot_telemetry_spool_size_bytes",
            "max (chatbot_telemetry_spool_size_bytes{",
            "chatbot.telemetry.spool.size",
        ),
    ],
    ids=lambda value: value.name if isinstance(value, MetricSpec) else "",
)
def test_a_panel_asks_for_a_metric_by_its_kind_and_its_first_attributes(
    spec: MetricSpec, title: str, expr: str, legend: str | None
) -> None:
    panel = everything.panel(spec).json(1, 0, 0)
    target = panel["targets"][0]
    assert panel["title"] == title
    assert target["expr"].startswith(expr)
    assert legend in (None, target["legendFormat"])


def test_the_series_that_is_0_from_the_start_is_asked_for_by_itself_and_shown_unless_it_is_0() -> None:
    both = [(target["expr"], target["legendFormat"]) for target in everything.panel(m.CACHE_HITS).json(1, 0, 0)["targets"]]
    [(by_attribute, _), (without, legend)] = both
    assert 'db_system_name!=""' in by_attribute
    assert 'db_system_name=""' in without
    assert without.endswith(" > 0")
    assert legend == "without attributes"


@pytest.mark.parametrize("spec", [m.MESSAGES_SENT, m.AI_COST, m.RESPONSE_TIME], ids=lambda spec: spec.name)
def test_a_metric_without_such_a_series_has_one_question(spec: MetricSpec) -> None:
    [target] = everything.panel(spec).json(1, 0, 0)["targets"]
    assert '!=""' not in target["expr"]
