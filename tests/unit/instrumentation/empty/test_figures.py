"""Which figures are empty, and that `/health/detailed` and the doctor say so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otel_chatbot.cli.doctor import app as doctor
from otel_chatbot.cli.doctor.findings import Status
from otel_chatbot.health.system import system
from otel_chatbot.instrumentation.empty import figures
from otel_chatbot.metrics import view
from otel_chatbot.metrics.view import Family, Point
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind


def families(*filled: Any) -> list[Family]:
    return [
        Family(spec, [Point({}, 1.0)] if spec in filled and spec.kind is not Kind.HISTOGRAM else [])
        for spec in m.CHATBOT
    ]  # fmt: skip


def test_without_traffic_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "read", families)
    assert figures.empty_figures() == []


def test_after_traffic_the_empty_ones_are_named_in_the_tables_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "read", lambda: families(m.API_REQUESTS, m.MESSAGES_SENT))
    named = [each["figure"] for each in figures.empty_figures()]
    assert named == [spec.prometheus for spec in m.CHATBOT if spec not in (m.API_REQUESTS, m.MESSAGES_SENT)]
    assert [each["figure"] for each in system()["empty_figures"]] == named


def test_the_doctor_shows_each_reason_once_and_warns_of_what_is_lost() -> None:
    rows = [
        ("a", "unused", "no cache", "none"), ("b", "unused", "no cache", "none"), ("c", "unused", "nothing has failed", ""),
        ("d", "lost", "inserts into `foo`", "set it"),
    ]  # fmt: skip
    keys = ("figure", "status", "why", "remedy")
    body = {"system": {"empty_figures": [dict(zip(keys, row, strict=True)) for row in rows]}}
    found = list(doctor._empty(json.dumps(body)))
    assert [(each.status, each.message, each.remedy) for each in found] == [
        (Status.WELL, "empty: a, b: no cache (none)", ""),
        (Status.WELL, "empty: c: nothing has failed", ""),
        (Status.WARNING, "empty: d: inserts into `foo`", "set it"),
    ]


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"system": {}}', '{"system": 1}'])
def test_an_app_that_does_not_say_is_no_fault(body: str) -> None:
    assert list(doctor._empty(body)) == []
