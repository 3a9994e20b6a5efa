"""Two versions are compared by figures that Prometheus has of the time in which each ran last."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

import pytest
from support.http_answers import answering

from otel_chatbot.cli.compare import FIGURES, Compared, Comparison, Lifetime, _last_run, _one_of, as_table, compare, life_of
from otel_chatbot.cli.prometheus_api import PrometheusApi, PrometheusError
from otel_chatbot.semconv import metrics as m


@dataclass
class Prometheus:
    """Answers as one that has seen both versions, each in its own instance; `figures` are by version."""

    errors: dict[str, str] = field(default_factory=lambda: {"1.0": "0.01", "2.0": "0.01"})
    refused: dict[str, str] = field(default_factory=dict)
    ratings: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The share of them that are not good, and their number."""
    requests: str = "100"
    calls: str = "100"
    """Of models."""
    labels: bool = False
    """Whether the series themselves have the version, and no `target_info` tells it."""
    asked: list[str] = field(default_factory=list)

    def __call__(self, path: str) -> tuple[int, str]:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(query["query"])
        return 200, json.dumps({"data": {"result": self.range(query) if parts.path.endswith("range") else self.now(query)}})

    def range(self, query: dict[str, str]) -> list[object]:
        told = query["query"].startswith("target_info")
        version = next((each for each in ("1.0", "2.0") if f'service_version="{each}"' in query["query"]), "")
        if not version or told is self.labels:
            return []
        end = float(query["end"])
        return [{"metric": {"job": "chat", "instance": f"pod-{version}"}, "values": [[end - 100, "1"], [end - 10, "1"]]}]

    def now(self, query: dict[str, str]) -> list[object]:
        asked = query["query"]
        version = "1.0" if "1\\\\.0" in asked or '"1.0"' in asked else "2.0"
        if asked == "target_info":
            return [{"metric": {"service_version": each}, "value": [1, "1"]} for each in ("2.0", "1.0")]
        if "answer_signals" in asked:
            value = self.refused.get(version, "") if "refused" in asked else ""
            return [{"metric": {}, "value": [1, value]}] if value else []
        if "feedback" in asked:
            share, number = self.ratings.get(version, ("", ""))
            value = share if " / " in asked else number
            return [{"metric": {}, "value": [1, value]}] if value else []
        if "histogram_quantile" in asked or "cost" in asked:
            return []
        value = self.errors[version] if "errors" in asked else self.calls if "ai_response" in asked else self.requests
        return [{"metric": {}, "value": [1, value]}]


@contextmanager
def asking(server: Prometheus, **how: object) -> Iterator[Comparison]:
    with answering(server) as address:
        yield replace(Comparison("1.0", "2.0", address), **how)  # type: ignore[arg-type]


def test_a_version_that_is_no_worse_than_the_tolerance_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    with asking(Prometheus({"1.0": "0.10", "2.0": "0.12"})) as comparison:
        assert compare(comparison) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[0].split() == ["1.0", "2.0"]
    [errors] = [line for line in table.splitlines() if line.startswith("errors per request")]
    assert errors.split()[-3:] == ["0.1", "0.12", "ok"]
    assert table.count("not compared") == len(FIGURES) - 1


def test_a_worse_one_ends_with_1_and_json_says_by_which_figure(capsys: pytest.CaptureFixture[str]) -> None:
    with asking(Prometheus({"1.0": "0.10", "2.0": "0.14"}), json=True) as comparison:
        assert compare(comparison) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["old"], told["new"], told["worse"]) == ("1.0", "2.0", True)
    assert [one["name"] for one in told["figures"] if one["worse"]] == ["errors per request"]


def test_a_release_that_refuses_more_is_worse(capsys: pytest.CaptureFixture[str]) -> None:
    with asking(Prometheus(refused={"1.0": "0.02", "2.0": "0.09"}), json=True) as comparison:
        assert compare(comparison) == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["figures"] if one["worse"]] == ["refused per AI call"]


@pytest.mark.parametrize(("number", "verdict", "code"), [("20", "WORSE", 1), ("19", "too few", 0)])
def test_a_release_that_is_liked_less_is_worse_if_there_are_enough_ratings(
    number: str, verdict: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with asking(Prometheus(ratings={"1.0": ("0.1", "500"), "2.0": ("0.25", number)})) as comparison:
        assert compare(comparison) == code
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not liked, per rating")]
    assert re.split("  +", line)[1:] == ["0.1", "0.25", verdict]


def test_signs_of_few_model_calls_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with asking(Prometheus(refused={"1.0": "0", "2.0": "0.5"}, calls="19")) as comparison:
        assert compare(comparison) == 0
    assert re.search("refused per AI call +0 +0.5 +too few", capsys.readouterr().out)


def test_a_difference_too_small_to_matter_is_none_whatever_the_percent() -> None:
    with asking(Prometheus({"1.0": "0", "2.0": "0.009"})) as comparison:
        assert compare(comparison) == 0
    with asking(Prometheus({"1.0": "0", "2.0": "0.011"})) as comparison:
        assert compare(comparison) == 1


def test_versions_that_answered_too_little_or_never_ran_cannot_be_compared(capsys: pytest.CaptureFixture[str]) -> None:
    with asking(Prometheus(requests="19")) as comparison:
        assert compare(comparison) == 2
    assert "1.0 has answered 19 requests and 20 are needed: wait, or use --least" in capsys.readouterr().err
    with asking(Prometheus(), new="3.0") as comparison:
        assert compare(comparison) == 2
    assert "no service.version=3.0 within 86400 s; there now: 1.0, 2.0" in capsys.readouterr().err


def test_when_a_version_ran_is_told_by_target_info_or_by_a_label_of_the_series() -> None:
    now = time.time()
    with asking(Prometheus()) as comparison:
        life = life_of(PrometheusApi(comparison.prometheus), comparison, "2.0")
        assert life.matchers == ('job=~"chat"', r'instance=~"pod\\-2\\.0"')
        assert now - 20 < life.end <= time.time()
        assert 90 < life.end - life.start < 120
        short = life_of(PrometheusApi(comparison.prometheus), replace(comparison, window=30.0), "2.0")
        assert short.end - short.start == pytest.approx(30)
    server = Prometheus(labels=True)
    with asking(server, service="chat") as comparison:
        life = life_of(PrometheusApi(comparison.prometheus), comparison, "1.0")
    assert life.matchers == ('service_version="1.0"', 'job="chat"')


def test_a_run_before_a_gap_is_not_the_last_one() -> None:
    assert _last_run([[10, 25, 40], [1000, 1015], [1030]], 15) == (1000, 1030)
    assert _last_run([[10, 25], [40]], 15) == (10, 40)
    assert _last_run([[0, 135]], 15) == (0, 135)
    assert _last_run([[0, 136]], 15) == (136, 136)


def test_values_are_matched_whole_and_once_each_with_what_promql_and_expressions_read_escaped() -> None:
    assert _one_of("job", ["b", "a", "b"]) == 'job=~"a|b"'
    assert _one_of("job", ["a.b"]) == r'job=~"a\\.b"'
    assert _one_of("job", ['a"b']) == r'job=~"a\"b"'


def test_a_series_that_began_in_the_time_counts_whole() -> None:
    life = Lifetime(100.0, 159.6, ('job="chat"',))
    series = 'chatbot_messages_sent_total{job="chat"}'
    assert life.events(m.MESSAGES_SENT) == f"sum (({series} unless {series} offset 60s) or increase({series}[60s]))"
    assert "[1s]" in Lifetime(5.0, 5.0, ()).events(m.MESSAGES_SENT)
    assert life.quantile(m.RESPONSE_TIME).startswith("histogram_quantile(0.95, sum by (le) ((")


def test_the_table_has_columns_and_says_what_was_not_recorded() -> None:
    rows = [Compared("cost per turn", "USD", None, 0.0123456, worse=False), Compared("p95", "s", 1.0, 2.0, worse=True)]
    assert as_table(Comparison("1", "2", ""), rows).splitlines() == [
        "               1           2",
        "cost per turn  no figures  0.01235 USD  not compared",
        "p95            1 s         2 s          WORSE",
    ]


def test_a_prometheus_that_is_none_cannot_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(Comparison("1", "2", "localhost")) == 2
    assert "expected one like http://localhost:9090" in capsys.readouterr().err
    with pytest.raises(PrometheusError):
        PrometheusApi("localhost")
