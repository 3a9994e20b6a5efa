"""Prometheus' two configurations: the same but for whom they ask."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from otel_chatbot.render import scrape
from otel_chatbot.render.scrape import Addresses


def jobs(text: str) -> dict[str, Any]:
    return {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}


def test_through_the_collector_the_apps_own_labels_are_kept() -> None:
    found = jobs(scrape.prometheus(Addresses(collector="c:1", collector_itself="c:2", prometheus="p:3")))
    assert found["collector"] == {"job_name": "collector", "honor_labels": True, "static_configs": [{"targets": ["c:1"]}]}
    assert found["otelcol"]["static_configs"] == [{"targets": ["c:2"]}]
    assert found["prometheus"]["static_configs"] == [{"targets": ["p:3"]}]


def test_straight_from_the_apps_the_environment_is_set_which_they_do_not_tell() -> None:
    found = jobs(scrape.direct(Addresses(apps=("a:1", "b:2"), environment="production")))
    assert set(found) == {"chatbot", "prometheus"}
    assert (found["chatbot"]["metrics_path"], found["chatbot"].get("honor_labels")) == ("/metrics", None)
    [config] = found["chatbot"]["static_configs"]
    assert config == {"targets": ["a:1", "b:2"], "labels": {"deployment_environment_name": "production"}}


@pytest.mark.parametrize("make", [scrape.prometheus, scrape.direct])
def test_both_have_the_rules_and_the_interval_and_none_where_there_are_no_rules(make: Any) -> None:
    read = yaml.safe_load(make(Addresses(interval="1s", rules="/r/*.yml")))
    assert read["global"] == {"scrape_interval": "1s", "evaluation_interval": "1s"}
    assert read["rule_files"] == ["/r/*.yml"]
    assert "rule_files" not in yaml.safe_load(make(Addresses(rules="")))


def test_the_committed_files_are_those_of_the_default_addresses() -> None:
    assert scrape.files() == {"prometheus/prometheus.yml": scrape.prometheus(), "prometheus/direct.yml": scrape.direct()}
    assert all(text.startswith("# Written by `otel-chatbot render`") for text in scrape.files().values())
