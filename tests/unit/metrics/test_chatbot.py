"""The metrics that an app imports by name: each is the row that the tables have under that name."""

from __future__ import annotations

import pytest

from otel_chatbot.metrics import chatbot
from otel_chatbot.metrics.instruments import Counter, Gauge, Histogram
from otel_chatbot.semconv.metrics import CHATBOT
from otel_chatbot.semconv.spec import MetricSpec


@pytest.mark.parametrize("spec", CHATBOT, ids=lambda spec: spec.python)
def test_a_public_metric_is_an_instrument_under_its_python_name(spec: MetricSpec) -> None:
    assert getattr(chatbot, spec.python).spec is spec, "defined by the table, so with its unit, its edges and its attributes"


def test_no_other_instrument_is_offered() -> None:
    offered = {name for name, found in vars(chatbot).items() if isinstance(found, (Counter, Gauge, Histogram))}
    assert offered == {spec.python for spec in CHATBOT}
