"""A dashboard as Grafana reads it: panels in their places, variables that narrow each other, a text that reads back."""

from __future__ import annotations

import json

from otel_chatbot.render.dashboard import MODELS, Dashboard
from otel_chatbot.render.panels import Panel, Query, Row


def test_panels_flow_from_left_to_right_and_a_collapsed_row_takes_one_line() -> None:
    def panel(width: int, height: int) -> Panel:
        return Panel(
            "a title", "s", "a description", [Query("up", "{http.route} of {db.system.name}")], width=width, height=height
        )

    board = Dashboard(
        "a",
        "A",
        "…",
        [Row("one", [panel(12, 4), panel(12, 8), panel(8, 4)]), Row("two", [panel(8, 4)], True), Row("three", [])],
    )
    places = [(one["type"], *one["gridPos"].values()) for one in board.json()["panels"]]
    assert places == [
        ("row", 0, 0, 24, 1),
        ("timeseries", 0, 1, 12, 4),
        ("timeseries", 12, 1, 12, 8),
        ("timeseries", 0, 9, 8, 4),
        ("row", 0, 13, 24, 1),
        ("row", 0, 14, 24, 1),
    ]
    assert board.json()["panels"][1]["targets"][0]["legendFormat"] == "{{http_route}} of {{db_system_name}}"
    assert [one["id"] for one in board.json()["panels"]] == [1, 2, 3, 4, 5, 7]


def test_the_text_reads_back_as_the_dashboard_and_keeps_letters_as_they_are() -> None:
    board = Dashboard("a", "Chatbot · A", "…", [])
    assert json.loads(board.text()) == board.json()
    assert "Chatbot · A" in board.text()
    assert board.text().endswith("}\n")


def test_each_variable_offers_what_the_ones_before_it_leave() -> None:
    variables = Dashboard("a", "A", "…", []).json()["templating"]["list"]
    assert [variable["name"] for variable in variables] == ["service", "environment", "instance"]
    series = "chatbot_api_requests_total"
    assert [variable["query"]["query"] for variable in variables] == [
        f"label_values({series}, job)",
        f'label_values({series}{{job=~"$service"}}, deployment_environment_name)',
        f'label_values({series}{{job=~"$service", deployment_environment_name=~"$environment"}}, instance)',
    ]
    assert {(variable["multi"], variable["allValue"]) for variable in variables} == {(True, ".*")}


def test_a_choice_of_a_board_follows_the_three_and_is_narrowed_by_them() -> None:
    *_, model = Dashboard("a", "A", "…", [], (MODELS,)).json()["templating"]["list"]
    assert (model["name"], model["label"]) == ("model", "Model")
    assert model["query"]["query"] == (
        'label_values(chatbot_ai_response_time_seconds_count{job=~"$service", deployment_environment_name=~"$environment", '
        'instance=~"$instance"}, gen_ai_request_model)'
    )


def test_a_version_that_was_not_there_five_minutes_before_is_marked_on_each_panel() -> None:
    [mark] = Dashboard("a", "A", "…", []).json()["annotations"]["list"]
    before, after = mark["expr"].split(" unless ")
    assert after == f"{before[:-1]} offset 5m)"
    assert "service_version" in before
    assert mark["titleFormat"] == "{{job}} {{service_version}}"


def test_the_links_lead_to_every_dashboard_with_its_tag() -> None:
    shown = Dashboard("a", "A", "…", []).json()
    assert shown["links"][0]["tags"] == shown["tags"]
