"""The share of budgets on the page "Now"."""

from __future__ import annotations

import time
from pathlib import Path

from support.viewer import store

from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.ui.figures import Figure, Recorder
from otel_chatbot.ui.queries.now import now as shown_now
from otel_chatbot.ui.rows import Batch

BUDGETS = {"app day USD": (5.0, 20.0), "user hour tokens": (900.0, 1000.0), "app month USD": (5.0, 300.0)}


def test_the_page_shows_the_budget_that_is_nearest_to_its_limit(tmp_path: Path) -> None:
    kept, recorder, batch, now = store(tmp_path), Recorder(), Batch(), time.time_ns()
    resource = batch.resource({"service.name": "shop", "service.instance.id": "one"})
    for name, amounts in BUDGETS.items():
        for spec, value in zip((m.BUDGET_SPENT, m.BUDGET_LIMIT), amounts, strict=True):
            figure = Figure(
                spec.name, spec.kind, spec.unit, spec.description, {a.BUDGET_NAME: name}, now - 10**9, now, value, edges=()
            )
            recorder.add(figure, resource, batch)
    kept.write(batch)
    with kept.reading() as db:
        [budget] = [shown for shown in shown_now(db, 0)["figures"] if shown["title"] == "Budget"]
    kept.close()
    assert budget["value"] == 0.9
    assert budget["meaning"].startswith("Of all budgets")
