"""An app with other tools in a process of its own, under the distribution, in an environment of `support.venvs`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from typing_extensions import Self

from .chat import ChatClient
from .process import COMPILED_ONCE, Process, free_port
from .stack import Span, spans_of


class Extended(ChatClient):
    """A program that reads PORT; `command` (after the environment's `bin`) starts it. Ended when the block is left."""

    def __init__(
        self, environment: Path, folder: Path, *command: str, env: Mapping[str, str] | None = None, instrumented: bool = True
    ) -> None:
        super().__init__(free_port(), timeout=20)
        self.folder = folder
        front = [str(environment / "opentelemetry-instrument")] if instrumented else []
        words = [word.replace("{port}", str(self.port)) for word in command]
        settings = {"PORT": str(self.port), "CHATBOT_OTEL_LOG_DIR": str(folder / "logs"), "OTEL_BSP_SCHEDULE_DELAY": "100"}
        path = {"PATH": f"{environment}:/usr/bin:/bin", **COMPILED_ONCE}
        self.process = Process([*front, str(environment / words[0]), *words[1:]], folder, {**settings, **path, **(env or {})})
        self.process.wait(self._there, "the app", timeout=120)

    def _there(self) -> bool:
        try:
            return self.get("/plain").status < 500
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.end()
        self.process.__exit__()

    def samples(self, name: str, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The series of a name that have these labels, of all that /metrics shows."""
        page = self.get("/metrics")
        assert page.status == 200, f"/metrics answers {page.status}: {page.text[:400]}\n{self.process.stderr[-2000:]}"
        families = text_string_to_metric_families(page.text)
        found = [sample for family in families for sample in family.samples if sample.name == name]
        return {tuple(sorted(s.labels.items())): s.value for s in found if labels.items() <= s.labels.items()}

    def total(self, name: str, **labels: str) -> float:
        return sum(self.samples(name, **labels).values())

    def spans(self) -> list[Span]:
        lines = [line for path in sorted(self.folder.glob("logs/traces*jsonl")) for line in path.read_text().splitlines()]
        return [span for line in lines for span in spans_of(json.loads(line))]

    def log_records(self) -> list[dict[str, object]]:
        path = self.folder / "logs" / "chatbot.json.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
