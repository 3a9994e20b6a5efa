"""Questions to Prometheus: labels and values of its answers, and one line why there is none."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from support.http_answers import answering
from support.process import free_port

from otel_chatbot.cli.prometheus_api import PrometheusApi, PrometheusError


def data(*result: object) -> str:
    return json.dumps({"status": "success", "data": {"result": list(result)}})


def asked(seen: list[tuple[str, dict[str, str]]]) -> tuple[str, dict[str, str]]:
    parts = urlsplit(seen[-1][0])
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


def test_a_vector_is_labels_and_numbers_and_the_time_is_asked_for_where_it_is_given() -> None:
    seen: list[tuple[str, dict[str, str]]] = []
    one = {"metric": {"job": "a"}, "value": [1, "2.5"]}
    with answering(lambda _: (200, data(one)), seen) as address:
        api = PrometheusApi(address + "/")
        assert api.vector('up{job="a b"}') == [({"job": "a"}, 2.5)]
        assert asked(seen) == ("/api/v1/query", {"query": 'up{job="a b"}'})
        api.vector("up", at=1700000000.5)
        assert asked(seen)[1]["time"] == "1700000000.500"


@pytest.mark.parametrize(
    ("values", "value"), [((), None), (("NaN",), None), (("NaN", "3"), 3.0), (("4", "5"), 4.0), (("+Inf",), float("inf"))]
)
def test_the_first_number_is_the_value_and_what_is_no_number_is_none(values: tuple[str, ...], value: float | None) -> None:
    answer = data(*({"metric": {}, "value": [1, each]} for each in values))
    with answering(lambda _: (200, answer)) as address:
        assert PrometheusApi(address).value("x") == value


def test_a_series_is_the_times_at_which_it_had_a_value() -> None:
    seen: list[tuple[str, dict[str, str]]] = []
    answer = data({"metric": {"job": "a"}, "values": [[10, "1"], [25.5, "0"]]})
    with answering(lambda _: (200, answer), seen) as address:
        assert PrometheusApi(address).series("x", 0, 30.25, 15) == [({"job": "a"}, [10.0, 25.5])]
    assert asked(seen) == ("/api/v1/query_range", {"query": "x", "start": "0.000", "end": "30.250", "step": "15"})


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [(422, "bad query", "answers 422: bad query"), (200, "<html>", "does not answer"), (200, "{}", "does not answer: 'data'")],
)
def test_an_answer_that_is_none_is_told_of_with_the_address(status: int, answer: str, said: str) -> None:
    with answering(lambda _: (status, answer)) as address, pytest.raises(PrometheusError) as raised:
        PrometheusApi(address).vector("x")
    assert str(raised.value).startswith(f"{address} ")
    assert said in str(raised.value)


def test_who_is_not_there_and_what_is_no_address_are_told_of() -> None:
    with pytest.raises(PrometheusError, match=r"does not answer: .*refused"):
        PrometheusApi(f"http://127.0.0.1:{free_port()}").vector("x")
    with pytest.raises(PrometheusError, match="localhost:9090 is not the address of a Prometheus: expected one like http://"):
        PrometheusApi("localhost:9090")
