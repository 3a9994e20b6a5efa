"""The dashboard of chats and AI: every figure of model calls is on it, asked of what is chosen."""

from __future__ import annotations

import pytest
from support.promql import labels, names, panels

from otel_chatbot.render.boards import ai
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind

PANELS = list(panels(ai.BOARD.json()))
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
SHOWN = {name for expression in EXPRESSIONS for name in names(expression)}
WANTED = (
    m.AI_RESPONSE_TIME, m.AI_COST, m.AI_COST_SAVED, m.AI_UNPRICED, m.GEN_AI_TOKENS, m.GEN_AI_FIRST_CHUNK, m.GEN_AI_CHUNK,
    m.TURN_TIME, m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED, m.ACTIVE_USERS, m.ACTIVE_CONVERSATIONS,
)  # fmt: skip


@pytest.mark.parametrize("spec", WANTED, ids=lambda spec: spec.name)
def test_a_figure_of_chats_or_models_is_on_it(spec: m.MetricSpec) -> None:
    parts = ("_bucket", "_sum", "_count") if spec.kind is Kind.HISTOGRAM else ("",)
    assert SHOWN & {spec.prometheus + part for part in parts}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_each_question_is_of_what_is_chosen(expression: str) -> None:
    assert labels(expression) >= {"job", "deployment_environment_name", "instance"}


def test_a_day_and_a_month_are_those_of_the_calendar() -> None:
    since = {panel["title"]: panel.get("timeFrom") for panel in PANELS if panel["title"].startswith("Cost ")}
    assert since["Cost today"] == "now/d"
    assert since["Cost this month"] == since["Cost of the whole month"] == "now/M"
    assert since["Cost of an answer"] is None


def test_no_failed_call_is_0_and_not_an_empty_panel() -> None:
    [failed] = [panel for panel in PANELS if panel["title"] == "Failed AI calls"]
    expression = failed["targets"][0]["expr"]
    assert expression.startswith("1 - ")
    assert 'error_type=""' in expression, "the calls that did not fail are there from the start, the failed ones are not"


def test_the_parts_of_a_turn_are_stacked_without_their_sum() -> None:
    [parts] = [panel for panel in PANELS if panel["title"] == "Parts of a chat turn"]
    assert 'chatbot_phase!="total"' in parts["targets"][0]["expr"]
    assert parts["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal"


def test_money_is_shown_as_dollars_and_an_hour_costs_3600_seconds() -> None:
    money = [panel for panel in PANELS if "chatbot_ai_cost" in panel["targets"][0]["expr"]]
    assert len(money) == 7
    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in money} == {"currencyUSD"}
    assert all(panel["targets"][0]["expr"].startswith("3600 * ") for panel in money if "hour" in panel["title"])
