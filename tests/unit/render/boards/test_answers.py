"""The rows that tell whether the answers are any good: they ask of the chosen models."""

from __future__ import annotations

import pytest
from support.promql import labels, names, panels

from otel_chatbot.render.boards import ai, answers
from otel_chatbot.semconv import metrics as m

TITLES = {panel.title for row in answers.ROWS for panel in row.panels}
EXPRESSIONS = [target["expr"] for panel in panels(ai.BOARD.json()) if panel["title"] in TITLES for target in panel["targets"]]


@pytest.mark.parametrize("spec", [m.ANSWER_SIGNALS, m.FEEDBACK, m.FEEDBACK_REFUSED], ids=lambda spec: spec.name)
def test_signs_and_ratings_are_on_the_dashboard_of_chats(spec: m.MetricSpec) -> None:
    assert spec.prometheus in {name for expression in EXPRESSIONS for name in names(expression)}


def test_signs_are_those_of_the_chosen_models() -> None:
    asked = [expression for expression in EXPRESSIONS if m.ANSWER_SIGNALS.prometheus in expression]
    assert len(asked) == 2
    assert all("gen_ai_request_model" in labels(expression) for expression in asked)
