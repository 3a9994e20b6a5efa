"""Figures of an app as the viewer keeps them, said at moments before now.

Feeds the tests of `otel_chatbot.ui.queries`.
"""

from __future__ import annotations

import time
from typing import Any

from otel_chatbot.semconv.spec import MetricSpec
from otel_chatbot.ui.figures import Figure, Recorder
from otel_chatbot.ui.queries import now
from otel_chatbot.ui.rows import Batch
from otel_chatbot.ui.store import Store

SECOND = 10**9
APP = {"service.name": "shop", "service.instance.id": "one"}


class Sampler:
    """Says figures of an app at moments, in seconds before now."""

    def __init__(self, kept: Store) -> None:
        self.kept = kept
        self.recorder = Recorder()
        self.began = time.time_ns()

    def say(
        self,
        ago: float,
        spec: MetricSpec,
        value: float,
        began: float = 10_000,
        app: Any = APP,
        *,
        delta: bool = False,
        **more: Any,
    ) -> None:
        batch = Batch()
        at, start = (self.began - int(seconds * SECOND) for seconds in (ago, began))
        attributes = more.pop("attributes", {})
        figure = Figure(
            spec.name, spec.kind, spec.unit, spec.description, attributes, start, at, value, edges=spec.buckets, **more
        )
        self.recorder.add(figure, batch.resource(app), batch, delta=delta)
        if len(batch):
            self.kept.write(batch)

    def figure(self, title: str, window: float = 0) -> Any:
        with self.kept.reading() as db:
            [found] = [one for one in now.now(db, window)["figures"] if one["title"] == title]
        return found["value"]
