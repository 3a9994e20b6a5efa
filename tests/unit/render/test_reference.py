"""The reference pages: a line per metric and per setting, as the tables and the settings say them."""

from __future__ import annotations

import re

import pytest

from otel_chatbot import config
from otel_chatbot.render import reference
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m

METRICS, SETTINGS = reference.metrics_page(), reference.settings_page()


def section(page: str, title: str) -> list[str]:
    """The rows of the table below a title."""
    below = page.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [line for line in below.splitlines() if line.startswith("| ")][2:]


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def test_every_metric_has_one_line_in_the_section_that_it_belongs_to() -> None:
    chatbot, own, convention = (
        section(METRICS, title) for title in ("The sixteen chatbot metrics", "Beside them", "OpenTelemetry's conventions")
    )
    assert [cells(row)[0] for row in chatbot] == [f"`{spec.python}`" for spec in m.CHATBOT]
    assert [cells(row)[0].strip("`") for row in own] == [
        spec.name for spec in m.ALL if not spec.python and spec.name.startswith("chatbot.")
    ]
    assert len(chatbot) + len(own) + len(convention) == len(m.ALL)


def test_a_line_says_names_kind_unit_attributes_and_meaning() -> None:
    [row] = [row for row in section(METRICS, "The sixteen chatbot metrics") if "`cache_hits`" in row]
    assert cells(row) == [
        "`cache_hits`", "`chatbot.cache.hits`", "counter", "`{hit}`", "`chatbot_cache_hits_total`", "`db.system.name`",
        "Cache reads that returned a value",
    ]  # fmt: skip
    [active] = [row for row in section(METRICS, "OpenTelemetry's conventions") if "active_requests`" in row]
    assert cells(active)[1] == "up-down counter"
    assert cells(active)[-1] == "Number of active HTTP server requests", "without the sentence's full stop"


def test_closed_sets_of_values_and_edges_are_listed() -> None:
    phases = next(row for row in section(METRICS, "Attributes") if a.PHASE in row)
    assert cells(phases) == [f"`{a.PHASE}`", "`chatbot_phase`", ", ".join(f"`{phase.value}`" for phase in a.Phase)]
    edges = {name: cells(row)[1] for row in section(METRICS, "Edges of the histograms") for name in cells(row)[0].split(", ")}
    assert len(edges) == sum(bool(spec.buckets) for spec in m.ALL)
    assert edges["`gen_ai.client.token.usage`"].startswith("1, 4, 16, ")


def test_every_setting_has_one_line_with_its_default() -> None:
    rows = {cells(row)[0].strip("`"): cells(row) for row in SETTINGS.splitlines() if row.startswith("| `")}
    assert list(rows) == [config.env_name(field) for field in config.fields()]
    assert rows["CHATBOT_OTEL_LOG_FILES"][1] == "`true`"
    assert rows["CHATBOT_OTEL_ACTIVE_WINDOW"][1] == "`300`"
    assert rows["CHATBOT_OTEL_REDACT_KEYS"][1] == "none"


@pytest.mark.parametrize(
    "field", [field for field in config.fields() if field.metadata["secret"]], ids=lambda field: field.name
)
def test_a_secret_says_that_it_is_shown_nowhere(field: object) -> None:
    name = config.env_name(field)  # type: ignore[arg-type]
    [row] = [row for row in SETTINGS.splitlines() if row.startswith(f"| `{name}` ")]
    assert cells(row)[2].endswith("Shown nowhere")


def test_a_bar_in_a_cell_is_no_end_of_it_and_placeholders_are_code() -> None:
    [row] = [row for row in SETTINGS.splitlines() if row.startswith("| `CHATBOT_OTEL_USER_ID_FROM` ")]
    assert len(cells(row)) == 3
    assert "\\|" in row
    [folder] = [row for row in SETTINGS.splitlines() if row.startswith("| `CHATBOT_OTEL_SPOOL_DIR` ")]
    assert "`<LOG_DIR>/spool`" in folder


def test_the_pages_are_files_of_the_documentation() -> None:
    assert reference.files() == {"docs/reference/metrics.md": METRICS, "docs/reference/settings.md": SETTINGS}
