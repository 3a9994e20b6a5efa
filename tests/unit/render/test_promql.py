"""PromQL out of rows: what is asked of a metric is limited, grouped and dated, and answers 0 where nothing happened."""

from __future__ import annotations

import promql_parser as pp
import pytest
from support.promql import labels, names, substituted

from otel_chatbot.render.promql import APPS, CHOSEN, COLLECTORS, Scope, eq, joined, like, ne, ratio, selector, unlike
from otel_chatbot.semconv import metrics as m


def test_matchers_name_attributes_as_labels() -> None:
    attribute = "http.route"
    assert [eq(attribute, "/chat"), ne(attribute), like(attribute, "/c.*"), unlike(attribute, "/s.*")] == [
        'http_route="/chat"',
        'http_route!=""',
        'http_route=~"/c.*"',
        'http_route!~"/s.*"',
    ]


def test_a_scope_limits_groups_and_dates_what_is_asked() -> None:
    scope = Scope(matchers=('job="chatbot"',), by=("job",), window="5m")
    assert scope.rate(m.API_REQUESTS) == 'sum by (job) (rate(chatbot_api_requests_total{job="chatbot"}[5m]))'
    assert scope.over("1h").increase(m.RESPONSE_TIME) == (
        'sum by (job) (increase(chatbot_response_time_seconds_count{job="chatbot"}[1h]))'
    )
    assert Scope().split("http.route").value(m.ACTIVE_USERS, how="max") == "max by (http_route) (chatbot_active_users)"
    assert Scope().value(m.ACTIVE_USERS) == "sum (chatbot_active_users)"
    assert ratio("a", "b") == "a / (b > 0)"


def test_what_did_not_happen_is_zero_by_one_rule() -> None:
    parsed = pp.parse(APPS.or_zero(ratio("sum (a)", "sum (b)")))
    assert (str(parsed.op), str(parsed.lhs.op)) == ("or", "/")
    assert parsed.rhs.prettify().split() == pp.parse(APPS.zero).prettify().split()


def test_a_dashboard_has_no_zero_to_put_in_place_of_nothing() -> None:
    with pytest.raises(ValueError, match="use APPS"):
        CHOSEN.or_zero("x")


def test_each_value_of_an_attribute_is_asked_for_without_the_series_that_has_none() -> None:
    assert Scope().each("http.route").rate(m.API_REQUESTS) == (
        'sum by (http_route) (rate(chatbot_api_requests_total{http_route!=""}[5m]))'
    )


def test_a_bound_that_is_no_edge_of_the_histogram_is_refused() -> None:
    assert 'le="2.5"' in Scope().within(m.GEN_AI_FIRST_CHUNK, 2.5)
    with pytest.raises(ValueError, match=r"3\.0 is no edge of gen_ai\.client"):
        Scope().within(m.GEN_AI_FIRST_CHUNK, 3.0)


def test_a_metric_is_asked_for_with_its_parts_and_limits() -> None:
    assert selector(m.API_REQUESTS) == "chatbot_api_requests_total"
    assert (
        selector(m.RESPONSE_TIME, 'job="a"', 'b="c"', part="_bucket") == 'chatbot_response_time_seconds_bucket{job="a", b="c"}'
    )
    limited = Scope(matchers=('x="y"',)).only('job="a"')
    assert limited.series(m.API_REQUESTS, 'b="c"') == 'chatbot_api_requests_total{x="y", job="a", b="c"}'
    assert Scope(by=("db.system.name",)).labels("le") == "db_system_name, le"


def test_a_first_event_counts_in_a_window_in_which_its_series_began() -> None:
    asked = Scope(by=("job",), window="15m").events(m.TELEMETRY_DROPPED)
    series = "chatbot_telemetry_dropped_total"
    assert asked == f"sum by (job) (({series} unless {series} offset 15m) or increase({series}[15m]))"
    pp.parse(asked)


def test_a_quantile_keeps_the_edges_apart_and_leaves_out_what_is_no_number() -> None:
    asked = Scope(by=("job",)).quantile(0.95, m.RESPONSE_TIME)
    assert asked.endswith(">= 0")
    assert "histogram_quantile(0.95, sum by (job, le) (rate(chatbot_response_time_seconds_bucket[5m])))" in asked


def test_a_mean_is_the_sum_by_the_number_where_there_is_any() -> None:
    assert Scope().mean(m.RESPONSE_TIME) == (
        "sum (rate(chatbot_response_time_seconds_sum[5m])) / (sum (rate(chatbot_response_time_seconds_count[5m])) > 0)"
    )


def test_expressions_are_joined_line_by_line() -> None:
    assert joined("and", ["a", "b", "c"]) == "a\nand b\nand c"


def test_rules_keep_services_and_environments_apart_and_an_app_that_is_there_answers_0() -> None:
    asked = APPS.or_zero(APPS.rate(m.ERRORS))
    assert labels(asked) == {"job", "deployment_environment_name"}
    assert names(APPS.zero) == {m.API_REQUESTS.prometheus}
    assert APPS.zero.startswith("0 * ")
    assert COLLECTORS.by == ("instance",)


def test_a_dashboard_asks_for_what_is_chosen_at_its_top() -> None:
    asked = CHOSEN.rate(m.ERRORS)
    assert labels(asked) == {"job", "deployment_environment_name", "instance"}
    assert "$__rate_interval" in asked
    assert "$" not in substituted(asked)
