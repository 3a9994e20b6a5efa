"""The model server and the app as processes, in an environment that has the clients; runs scenarios and reads every side of them.

Feeds tests/stack/instrumentation/genai/test_model_clients.py. Nothing of a client is imported here.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from prometheus_client.parser import text_string_to_metric_families

from support.process import COMPILED_ONCE, Process, free_port, get, wait_for
from support.venvs import environment
from support.wires.ledger import Record

from .scenario import Scenario

if TYPE_CHECKING:
    from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[3]
TESTS = ROOT / "tests"
SECRETS = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "GOOGLE_API_KEY": "k", "GROQ_API_KEY": "k", "CO_API_KEY": "k"}
QUIET = {
    "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "k", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false", "ANONYMIZED_TELEMETRY": "false", "PYTHONWARNINGS": "ignore",
    "PYTHONHASHSEED": "0",  # botocore writes a set into its user agent
}  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """What the package has counted so far, over all series."""

    calls: float
    errors: float
    input: float
    output: float
    first_chunks: float = 0.0
    first_chunk_seconds: float = 0.0

    @classmethod
    def of(cls, samples: str) -> Figures:
        found = dict.fromkeys(("calls", "errors", "input", "output", "first", "first_s"), 0.0)
        names = {
            "chatbot_ai_response_time_seconds_count": "calls",
            "chatbot_errors_total": "errors",
            "gen_ai_client_operation_time_to_first_chunk_seconds_count": "first",
            "gen_ai_client_operation_time_to_first_chunk_seconds_sum": "first_s",
        }
        for family in text_string_to_metric_families(samples):
            for sample in family.samples:
                if sample.name in names:
                    found[names[sample.name]] += sample.value
                elif sample.name == "gen_ai_client_token_usage_sum":
                    found[sample.labels["gen_ai_token_type"]] += sample.value
        return cls(*found.values())

    def since(self, before: Figures) -> Figures:
        return Figures(*(getattr(self, name) - getattr(before, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Run:
    """One scenario, from every side: what the app got, what the server knows, the bytes that it was sent, what was counted."""

    got: dict[str, Any]
    records: list[Record]
    requests: list[dict[str, Any]]
    figures: Figures


class World:
    """A model server and an app beside it; `watched`: the app runs under the package."""

    def __init__(self, folder: Path, name: str, *, watched: bool, settings: dict[str, str] | None = None) -> None:
        python = environment(name) / "python"
        self.watched = watched
        self.wires = Process(
            [str(python), "-m", "support.wires"], folder, {"PYTHONPATH": str(TESTS), **COMPILED_ONCE}, name="wires"
        )
        self.wires.wait(lambda: self.wires.stdout.endswith("\n"), "the model server")
        self.addresses = json.loads(self.wires.stdout)
        self.port = free_port()
        env = {
            **SECRETS, **QUIET, **COMPILED_ONCE, "PYTHONPATH": str(TESTS), "WIRES": json.dumps(self.addresses), "PORT": str(self.port),
            "CHATBOT_OTEL_LOG_DIR": str(folder / "logs"), "OTEL_BSP_SCHEDULE_DELAY": "200", "HOME": str(folder),
            # Without this, the first stream of each model would be sent unasked, to find out whether it tells its tokens.
            "CHATBOT_OTEL_AI_ADDRESSES": "127.0.0.1/v1/chat=openai,127.0.0.1/v1/completions=openai",
            "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}", **(settings or {}),
        }  # fmt: skip
        front = [str(python.parent / "opentelemetry-instrument")] if watched else []
        self.app = Process([*front, str(python), "-m", "support.clients.app"], folder, env, name="app")
        self.app.wait(lambda: get(f"http://127.0.0.1:{self.port}/up", timeout=2)[0] == 200, "the app", timeout=90)

    def run(self, scenario: Scenario, timeout: float = 120.0) -> Run:
        """Run a scenario in a request of its own."""
        self._wires("/_wires/begin", b"{}")
        before = self._figures()
        status, body = get(f"http://127.0.0.1:{self.port}/run/{scenario.name}", timeout=timeout)
        assert status == 200, f"{scenario.name}: {status} {body[:300]}\n{self.app.stderr[-3000:]}"
        wait_for(self._written, f"the end of the model server's answers to {scenario.name}, after {body[:300]}")
        after = self._figures()
        records = [Record(**record) for record in self._wires("/_wires/ledger")]
        return Run(json.loads(body), records, self._wires("/_wires/requests"), after.since(before))

    def _written(self) -> bool:
        """Whether the server has come to the end of what it was asked: a client may have gone before it began."""
        records = self._wires("/_wires/ledger")
        return any(record["counts"] for record in records) and all(record["done"] for record in records)

    def _figures(self) -> Figures:
        return Figures.of(get(f"http://127.0.0.1:{self.port}/metrics")[1] if self.watched else "")

    def _wires(self, path: str, body: bytes | None = None) -> Any:
        with urlopen(Request(self.addresses["url"] + path, body), timeout=30) as answer:
            return json.load(answer)

    def end(self) -> None:
        for process in (self.app, self.wires):
            process.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()
