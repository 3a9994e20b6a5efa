"""What users, dashboards and alerts hold on to: none of it goes away or changes unnoticed.

`data/names.json` is what was there when the rooms were moved. A name may come; one that goes is a breaking change, which
belongs into the changelog and into that file.
"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import tomllib

import otel_chatbot
from otel_chatbot import config
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import logs
from otel_chatbot.semconv import metrics as m

ROOT = Path(__file__).resolve().parents[2]
KEPT: dict[str, Any] = json.loads((Path(__file__).parent / "data/names.json").read_text())


def test_every_public_name_is_still_there() -> None:
    assert set(KEPT["public"]) - set(otel_chatbot.__all__) == set()
    assert [name for name in KEPT["public"] if not hasattr(otel_chatbot, name)] == []


@pytest.mark.parametrize("name", KEPT["metrics"])
def test_a_metric_is_what_it_was(name: str) -> None:
    spec = m.BY_NAME[name]
    assert KEPT["metrics"][name] == {
        "kind": spec.kind.value,
        "unit": spec.unit,
        "prometheus": spec.prometheus,
        "attributes": list(spec.attributes),
        "buckets": list(spec.buckets),
        "python": spec.python,
    }


def test_every_attribute_and_value_is_still_there() -> None:
    assert set(KEPT["attributes"]) - {value for value in vars(a).values() if isinstance(value, str)} == set()
    for name, values in KEPT["values"].items():
        kind: type[Enum] = getattr(a, name)
        assert set(values) - {one.value for one in kind} == set(), name


def test_every_field_of_a_log_line_and_every_setting_is_still_there() -> None:
    assert set(KEPT["log fields"]) - set(logs.FIELDS) == set()
    assert set(KEPT["settings"]) - {config.env_name(field) for field in config.fields()} == set()


def test_the_wheels_commands_and_entry_points_are_what_they_were() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert KEPT["scripts"].items() <= project["scripts"].items()
    for group, names in KEPT["entry points"].items():
        assert names.items() <= project["entry-points"][group].items()
