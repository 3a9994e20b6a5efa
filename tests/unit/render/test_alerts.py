"""The alerts as rows: names, words as templates, limits by the promises; that each fires is promtool's to say."""

from __future__ import annotations

import re

import pytest
from support.promql import labels, names

from otel_chatbot.render import alerts
from otel_chatbot.render import objectives as o
from otel_chatbot.render.alert import Alert
from otel_chatbot.render.alerts import ALERTS

ROWS = [row for rows in ALERTS.values() for row in rows]
EACH = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name} {' '.join(row.labels.values())}".strip())


def test_every_promise_has_an_alert_for_every_burn_and_its_limit_is_that_many_times_the_budget() -> None:
    rows = ALERTS["chatbot-objectives"]
    assert len(rows) == len(o.OBJECTIVES) * len(o.BURNS)
    first = rows[0]
    which = f'{{slo="{o.AVAILABILITY.name}"}}'
    assert first.expr == f"{o.burned('1h')}{which} > 14.4 * 0.01\nand {o.burned('5m')}{which} > 14.4 * 0.01"
    assert (first.name, first.labels) == ("ChatbotAvailabilityBudgetBurn", {"long_window": "1h", "short_window": "5m"})


@EACH
def test_the_words_name_only_labels_that_the_expression_keeps(row: Alert) -> None:
    named = set(re.findall(r"\$labels\.(\w+)", row.summary + row.description))
    recorded = any(":" in name for name in names(row.expr))  # a recorded figure keeps the service's labels
    assert named <= labels(row.expr) | ({"job"} if recorded else set())


def test_rows_that_share_a_name_are_told_apart_by_their_labels() -> None:
    keys = [(row.name, tuple(row.all_labels.items())) for row in ROWS]
    assert len({*keys}) == len(keys)


def test_what_was_kept_out_on_purpose_is_no_loss() -> None:
    [dropped] = [row for row in ROWS if row.name == "ChatbotTelemetryDropped"]
    assert 'chatbot_telemetry_reason!~"series_limit|unlisted_attribute"' in dropped.expr
    [limit] = [row for row in ROWS if row.name == "ChatbotSeriesLimitHit"]
    assert 'chatbot_telemetry_reason="series_limit"' in limit.expr


def test_the_caches_ratio_counts_every_read_and_is_0_where_nothing_was_read() -> None:
    recorded = dict(alerts.CACHE_RECORDS)
    assert "chatbot_cache_misses_total" in recorded["job:cache_reads:rate5m"]
    assert "chatbot_cache_misses_total" not in recorded["job:cache_hits:rate5m"]
    assert recorded["job:cache_hit:ratio_rate30m"].endswith("or 0 * sum_over_time(job:cache_reads:rate5m[30m])")
