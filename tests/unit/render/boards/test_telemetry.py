"""The dashboard of the telemetry itself: what was dropped, what waits, and what the collector says of itself."""

from __future__ import annotations

import pytest
from support.promql import labels, names

from otel_chatbot.render.boards import telemetry
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import collector as c
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv import prometheus as p

APP, COLLECTOR = telemetry.BOARD.rows


def test_everything_that_the_collector_tells_of_itself_is_on_it() -> None:
    asked = {name for panel in COLLECTOR.panels for query in panel.queries for name in names(query.expr)}
    assert asked == {spec.prometheus for spec in c.OF_ITSELF}


def test_what_the_app_drops_and_keeps_waiting_is_on_it() -> None:
    asked = {name for panel in APP.panels for query in panel.queries for name in names(query.expr)}
    assert {m.TELEMETRY_DROPPED.prometheus, m.SPOOL_SIZE.prometheus, p.UP.prometheus} <= asked


@pytest.mark.parametrize(
    ("title", "label"), [("Received", "receiver"), ("Refused", "receiver"), ("Delivered", "exporter"), ("Lost", "exporter")]
)
def test_a_step_of_the_collector_is_told_by_signal_and_by_who_did_it(title: str, label: str) -> None:
    [panel] = [panel for panel in COLLECTOR.panels if panel.title == title]
    assert [query.legend for query in panel.queries] == [f"{signal.value} {{{label}}}" for signal in a.Signal]
    assert all(label in labels(query.expr) for query in panel.queries)


def test_a_loss_is_never_green() -> None:
    for panel in (*APP.panels, *COLLECTOR.panels):
        if panel.title in ("Lost", "Refused", "Dropped by reason"):
            assert panel.steps[0] == ("green", None)
            assert 0 < (panel.steps[1][1] or 0) <= 0.001


def test_the_collector_is_none_of_the_services_that_are_chosen() -> None:
    for panel in COLLECTOR.panels:
        for query in panel.queries:
            assert "$service" not in query.expr


def test_series_are_counted_of_the_chosen_apps_whatever_their_names() -> None:
    [panel] = [panel for panel in APP.panels if panel.title == "Series by metric"]
    assert '__name__!=""' in panel.queries[0].expr
    assert "$service" in panel.queries[0].expr
