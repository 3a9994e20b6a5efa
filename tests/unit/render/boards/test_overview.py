"""The overview: how users fare now, the promises by what the rules record, health and versions."""

from __future__ import annotations

import re

import pytest
from support.promql import labels, names, panels

from otel_chatbot.render import objectives as o
from otel_chatbot.render import rules
from otel_chatbot.render.boards import overview

PANELS = {panel["title"]: panel for panel in panels(overview.BOARD.json())}
EXPRESSIONS = [target["expr"] for panel in PANELS.values() for target in panel["targets"]]
RECORDED = {record.name for records in rules.RECORDED.values() for record in records}


def test_what_it_asks_of_recorded_figures_is_recorded() -> None:
    asked = {name for expression in EXPRESSIONS for name in names(expression) if ":" in name}
    assert asked
    assert asked <= RECORDED


def test_a_recorded_figure_belongs_to_a_service_in_an_environment_and_to_no_instance() -> None:
    for expression in EXPRESSIONS:
        for matchers in re.findall(r"slo:\S+?\{([^}]*)\}", expression):
            assert {part.partition("=")[0] for part in matchers.split(", ")} == {"job", "deployment_environment_name", "slo"}


@pytest.mark.parametrize("slo", o.OBJECTIVES, ids=lambda slo: slo.name)
def test_every_promise_has_its_burn_rate_by_the_budget_and_says_itself(slo: o.Objective) -> None:
    panel = PANELS[f"Burn rate: {slo.name}"]
    assert all(target["expr"].endswith(f"/ {slo.budget:g}") for target in panel["targets"])
    assert slo.promise in panel["description"]


@pytest.mark.parametrize(("title", "slo"), [("Available, 3 days", o.AVAILABILITY), ("In time, 3 days", o.LATENCY)])
def test_what_was_kept_is_red_below_the_target(title: str, slo: o.Objective) -> None:
    steps = PANELS[title]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert (steps[0]["color"], steps[1]["value"]) == ("red", slo.target)
    assert steps[1]["value"] < steps[2]["value"] < 1


def test_health_is_the_worst_state_with_its_name_and_never_0_by_silence() -> None:
    for title in ("Health", "Health checks"):
        [target] = PANELS[title]["targets"]
        assert target["expr"].startswith("min")
        names_of_values = PANELS[title]["fieldConfig"]["defaults"]["mappings"][0]["options"]
        assert {value: one["text"] for value, one in names_of_values.items()} == {
            "0": "unhealthy", "0.5": "degraded", "1": "healthy",
        }  # fmt: skip


def test_requests_to_paths_that_the_app_does_not_have_are_shown_beside_the_routes() -> None:
    routes, others = PANELS["Requests by route"]["targets"]
    assert 'http_route!=""' in routes["expr"]
    assert 'http_route=""' in others["expr"]
    assert 'http_request_method!=""' in others["expr"], "the series that is 0 from the start has no method"
    assert others["legendFormat"] == "no route"


def test_no_firing_alert_is_said_in_words() -> None:
    said = {title: panel["fieldConfig"]["defaults"].get("noValue") for title, panel in PANELS.items()}
    assert {title: words for title, words in said.items() if words} == {"Alerts firing": "none"}


def test_versions_are_a_table_of_what_runs() -> None:
    panel = PANELS["Versions"]
    columns = panel["transformations"][0]["options"]["renameByName"]
    assert set(columns) <= labels(panel["targets"][0]["expr"])
    assert columns["telemetry_distro_version"] == "otel-chatbot"
