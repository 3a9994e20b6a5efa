"""A panel as Grafana reads it: queries, legends, thresholds, names of values, columns of a table."""

from __future__ import annotations

from typing import Any

import pytest

from otel_chatbot.render.panels import PLAIN, Panel, Query, falling, rising, stat


def shown(**more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"title": "Title", "unit": "s", "description": "Words.", "queries": [Query("up")], **more}
    return Panel(**fields).json(7, 8, 9)


def test_a_panel_stands_in_its_place_with_its_words() -> None:
    panel = shown(width=12, height=4)
    assert (panel["id"], panel["gridPos"]) == (7, {"x": 8, "y": 9, "w": 12, "h": 4})
    assert (panel["title"], panel["description"], panel["fieldConfig"]["defaults"]["unit"]) == ("Title", "Words.", "s")


@pytest.mark.parametrize(
    ("legend", "written"),
    [
        ("p95", "p95"),
        ("{http.route}", "{{http_route}}"),
        ("{db.system.name} {db.client.connection.state}", "{{db_system_name}} {{db_client_connection_state}}"),
        ("traces {exporter}", "traces {{exporter}}"),
        ("", ""),
    ],
)
def test_a_legend_names_attributes_as_labels(legend: str, written: str) -> None:
    assert Query("up", legend).target(0, "timeseries")["legendFormat"] == written


@pytest.mark.parametrize(
    ("kind", "instant", "shape"),
    [("timeseries", False, "time_series"), ("stat", True, "time_series"), ("table", True, "table")],
)
def test_a_number_and_a_table_are_asked_for_at_once_and_a_line_over_time(kind: str, instant: bool, shape: str) -> None:
    target = Query("up").target(0, kind)
    assert (target["instant"], target["range"], target["format"]) == (instant, not instant, shape)


def test_only_lines_of_a_histogram_have_exemplars() -> None:
    assert Query("rate(a_bucket[5m])").target(0, "timeseries")["exemplar"] is True
    assert Query("rate(a_bucket[5m])").target(0, "stat")["exemplar"] is False
    assert Query("rate(a_total[5m])").target(0, "timeseries")["exemplar"] is False


def test_queries_have_letters_in_their_order() -> None:
    assert [target["refId"] for target in shown(queries=[Query("a"), Query("b"), Query("c")])["targets"]] == ["A", "B", "C"]


def test_thresholds_rise_or_fall_and_are_drawn_where_there_are_any() -> None:
    assert rising(1, 2) == (("green", None), ("orange", 1), ("red", 2))
    assert falling(1, 2) == (("red", None), ("orange", 1), ("green", 2))
    drawn = shown(steps=rising(1, 2))["fieldConfig"]["defaults"]
    assert drawn["thresholds"]["steps"] == [
        {"color": "green", "value": None}, {"color": "orange", "value": 1}, {"color": "red", "value": 2},
    ]  # fmt: skip
    assert drawn["custom"]["thresholdsStyle"] == {"mode": "dashed"}
    assert shown(steps=PLAIN)["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"] == {"mode": "off"}


def test_a_line_begins_at_zero_and_ends_where_it_is_said() -> None:
    assert {"min", "max"} & shown(kind="stat")["fieldConfig"]["defaults"].keys() == set()
    limited = shown(most=1, stacked=True)["fieldConfig"]["defaults"]
    assert (limited["min"], limited["max"], limited["custom"]["stacking"]["mode"]) == (0, 1, "normal")


def test_values_and_columns_have_the_names_that_they_are_given() -> None:
    mapped = shown(kind="state-timeline", names={0: "unhealthy", 0.5: "degraded"})["fieldConfig"]["defaults"]["mappings"]
    assert mapped == [
        {"type": "value", "options": {"0": {"text": "unhealthy", "index": 0}, "0.5": {"text": "degraded", "index": 1}}}
    ]
    [table] = shown(kind="table", columns={"service.version": "Version", "job": "Service"})["transformations"]
    assert table["options"]["renameByName"] == {"service_version": "Version", "job": "Service"}
    assert table["options"]["indexByName"] == {"service_version": 0, "job": 1}
    assert shown()["transformations"] == []


def test_one_number_is_small_unless_it_is_told_otherwise() -> None:
    panel = stat("Title", "s", "Words.", "up", height=8)
    assert (panel.kind, panel.width, panel.height, panel.queries[0].expr) == ("stat", 3, 8, "up")
