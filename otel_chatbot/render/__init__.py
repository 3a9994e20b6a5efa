"""Renders what must agree with the telemetry: scrape configurations, rules, dashboards, tables of the documentation.

Fed by `config` and `semconv`; feeds the files in the repository, through `otel-chatbot render`. Nothing is written here: each
renderer gives back text.
"""

from __future__ import annotations

from . import dashboards, facade, reference, rules, scrape


def files(runbooks: str = rules.RUNBOOKS) -> dict[str, str]:
    """Every rendered file: its text by its path. `runbooks` is where the alerts' pages are served, without the last slash."""
    found: dict[str, str] = {}
    for part in (
        scrape.files(),
        rules.files(runbooks),
        dashboards.files(),
        reference.files(),
        facade.files(),
    ):
        found.update(part)
    return found
