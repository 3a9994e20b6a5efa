"""Prometheus' rules as text: what is recorded under its name, what alerts with its words and its page."""

from __future__ import annotations

from typing import Any

import promql_parser as pp
import pytest
import yaml

from otel_chatbot.render import alerts, rules
from otel_chatbot.render import objectives as o
from otel_chatbot.render.alerts import Alert

ALERT = Alert("ChatbotNoData", "up == 0", "2m", "page", "Users of {job} hear nothing", "{value} of {job|any}", "humanize")


def groups(name: str, runbooks: str = "docs/runbooks") -> dict[str, list[dict[str, Any]]]:
    read = yaml.safe_load(rules.files(runbooks)[f"prometheus/rules/{name}.yml"])
    return {group["name"]: group["rules"] for group in read["groups"]}


def test_a_recorded_figure_has_a_label_only_where_it_belongs_to_an_objective() -> None:
    assert rules.RecordingRule("a:b", "up").rule() == {"record": "a:b", "expr": "up"}
    assert rules.RecordingRule("a:b", "up", "latency").rule()["labels"] == {"slo": "latency"}


def test_an_alert_has_its_words_its_labels_and_its_page() -> None:
    rule: Any = rules.alert_rule(ALERT, "https://wiki.example")
    assert (rule["alert"], rule["expr"], rule["for"], rule["labels"]) == (
        "ChatbotNoData",
        "up == 0",
        "2m",
        {"severity": "page"},
    )
    assert rule["annotations"] == {
        "summary": "Users of {{ $labels.job }} hear nothing",
        "description": '{{ $value | humanize }} of {{ or $labels.job "any" }}',
        "runbook_url": "https://wiki.example/chatbot-no-data.md",
    }


@pytest.mark.parametrize(
    ("runbooks", "address"),
    [
        ("docs/runbooks", "docs/runbooks/chatbot-no-data.md"),
        ("https://wiki.example/{page}/", "https://wiki.example/chatbot-no-data/"),
        ("https://wiki.example?p={page}&q={page}", "https://wiki.example?p=chatbot-no-data&q=chatbot-no-data"),
    ],
)
def test_a_page_is_where_it_is_said_to_be_served(runbooks: str, address: str) -> None:
    assert rules.page_address(runbooks, ALERT) == address


def test_every_row_is_a_rule_in_its_group() -> None:
    found = groups("alerts", "https://wiki.example")
    assert {name: [rule["alert"] for rule in rows] for name, rows in found.items()} == {
        name: [alert.name for alert in rows] for name, rows in alerts.ALERTS.items()
    }
    assert all(
        rule["annotations"]["runbook_url"].startswith("https://wiki.example/") for rows in found.values() for rule in rows
    )
    assert not {*found} & {*groups("recording")}, "no group of alerts has the name of a recorded one"


def test_each_objective_is_recorded_and_its_share_over_each_window() -> None:
    found = groups("recording")["recorded-objectives"]
    recorded = [(rule["record"], rule.get("labels", {}).get("slo")) for rule in found]
    assert recorded == [
        *((name, objective.name) for objective in o.OBJECTIVES for name in (o.BAD, o.ALL)),
        *((o.burned(window), None) for window in o.WINDOWS),
    ]
    for rule in found:
        pp.parse(rule["expr"])


def test_a_share_is_weighted_by_traffic_and_0_without_any() -> None:
    shares = {rule["record"]: rule["expr"] for rule in groups("recording")["recorded-objectives"]}
    assert shares[o.burned("5m")] == f"clamp_max({o.BAD} / ({o.ALL} > 0), 1)\nor 0 * {o.ALL}"
    summed = [f"sum_over_time({name}[1h])" for name in (o.BAD, o.ALL)]
    assert shares[o.burned("1h")] == f"clamp_max({summed[0]} / ({summed[1]} > 0), 1)\nor 0 * {summed[1]}"
