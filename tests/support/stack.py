"""A chatbot with all that it needs, as real processes: MongoDB stand-in, Redis, model server, and the app.

    with Stack(tmp_path) as stack:
        reply = stack.chat("hello", user_id="ada")
        assert reply.json["response"] == stack.answer("hello")
        stack.stream("/chunks 20 /slow 1"), stack.abandon("/slow 5", after=3)
        stack.chat("/fail 500")                            # the model fails: see examples/model_server/planning.py
        stack.mongo.fail("insert")                         # the next insert fails: a 503
        stack.model.calls(2), stack.spans(), stack.log_records(), stack.total("chatbot_messages_sent_total")

Feeds the stack tests. The app is the example, or any other that reads PORT and the servers' addresses from the environment.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from typing_extensions import Self

from .chat import ChatClient
from .model import ModelServer
from .process import Process, free_port, program, wait_for
from .servers import MongoServer, RedisServer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CHATBOT = EXAMPLES / "chatbot" / "app.py"

sys.path.insert(0, str(EXAMPLES / "model_server"))
from planning import plan  # noqa: E402

INSTRUMENT = "opentelemetry-instrument"


@dataclass(frozen=True)
class Span:
    """A span as it was written to the trace file; times are in seconds."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    scope: str
    attributes: dict[str, Any]
    error: bool
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


class Stack(ChatClient):
    """The servers and the app, started on entering, ended in the reverse order on leaving.

    `server` is "python" (`python app.py`) or "gunicorn", whose `workers` and further `arguments` it takes; `application` is
    what gunicorn serves in the app's module. `instrumented`
    puts `opentelemetry-instrument` in front. `mongo` may be a server that several stacks share: each has a database of its
    own there. `redis=False` leaves REDIS_URL unset: answers are cached in memory. `ready` is a path that answers 200 once the
    app is there. `env` comes last and wins; None unsets.
    """

    def __init__(
        self,
        folder: Path,
        *,
        app: Path = CHATBOT,
        application: str = "app",
        server: str = "python",
        workers: int = 1,
        arguments: Sequence[str] = (),
        instrumented: bool = True,
        mongo: MongoServer | None = None,
        redis: bool = True,
        delay: float = 0.0,
        ready: str = "",
        env: Mapping[str, str | None] | None = None,
    ) -> None:
        super().__init__(free_port())
        self.folder = folder
        self.logs = folder / "logs"
        self.app_path = app
        self.application = application
        self.server = server
        self.workers = workers
        self.arguments = arguments
        self.instrumented = instrumented
        self.with_redis = redis
        self.delay = delay
        self.env = dict(env or {})
        self._ready = ready or ("/health/live" if instrumented else "/static/chat.css")
        self._shared_mongo = mongo
        self._open = ExitStack()
        self.app: Process
        self.model: ModelServer
        self.mongo: MongoServer
        self.redis: RedisServer | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            if self._shared_mongo is None:
                self.mongo = opened.enter_context(MongoServer(self.folder / "mongo"))  # type: ignore[assignment]
            else:
                self.mongo = self._shared_mongo
            if self.with_redis:
                self.redis = opened.enter_context(RedisServer(self.folder / "redis"))  # type: ignore[assignment]
            self.model = opened.enter_context(ModelServer(self.folder / "model", self.delay))  # type: ignore[assignment]
            opened.callback(self.stop)
            self.start()
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # the app

    def start(self) -> None:
        """Start the app, and wait until it answers, and until all of gunicorn's workers are there."""
        self.app = Process(self.command(), self.folder / "app", self.environment(), name="app")
        self.app.wait(lambda: self._answers(self._ready), f"the app's {self._ready}", timeout=60)
        if self.server == "gunicorn":
            self.app.wait(lambda: len(self.worker_pids()) >= self.workers, f"{self.workers} workers")

    def stop(self, *signals: int) -> None:
        """End the app by SIGTERM, or by the given signal, and wait until it has ended."""
        if hasattr(self, "app"):
            self.app.end(*signals)
            self.app.__exit__()

    def restart(self, **env: str | None) -> None:
        """Stop and start the app, on the same port, with changes of its environment."""
        self.stop()
        self.env.update(env)
        self.start()

    def command(self) -> list[str]:
        front = [program(INSTRUMENT, "run `make setup`")] if self.instrumented else []
        if self.server == "python":
            return [*front, sys.executable, str(self.app_path)]
        gunicorn = program("gunicorn", "run `make setup`")
        served = ["--chdir", str(self.app_path.parent), "--bind", f"127.0.0.1:{self.port}", "--workers", str(self.workers)]
        threads = [] if {"-k", "--worker-class"} & set(self.arguments) else ["--threads", "8"]
        return [*front, gunicorn, *served, *threads, *self.arguments, f"{self.app_path.stem}:{self.application}"]

    def environment(self) -> dict[str, str]:
        settings: dict[str, str | None] = {
            "PORT": str(self.port),
            "MONGODB_URI": self.mongo_uri,
            "REDIS_URL": self.redis.url if self.redis else None,
            "OPENAI_BASE_URL": self.model.url,
            "ANTHROPIC_BASE_URL": self.model.url.removesuffix("/v1"),
            "GOOGLE_GEMINI_BASE_URL": self.model.url.removesuffix("/v1"),
            "OPENAI_API_KEY": "local",
            "MODEL_MAX_RETRIES": "0",  # one call of the app is one line in the model server's log
            "CHATBOT_OTEL_LOG_DIR": str(self.logs),
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_BLRP_SCHEDULE_DELAY": "200",
            **self.env,
        }
        return {name: value for name, value in settings.items() if value is not None}

    @property
    def mongo_uri(self) -> str:
        return f"{self.mongo.uri}{self.database}"

    @property
    def database(self) -> str:
        """A name of this stack's own on the MongoDB server, which others may use too."""
        return f"chatbot_{self.port}"

    def worker_pids(self) -> list[int]:
        """The process ids of gunicorn's workers."""
        return [int(pid) for pid in Path(f"/proc/{self.app.pid}/task/{self.app.pid}/children").read_text().split()]

    def _answers(self, path: str) -> bool:
        try:
            if self.get(path).status == 200:
                return True
        except (OSError, HTTPException):
            pass
        time.sleep(0.1)  # an app that answers with something else would fill its log with our asking
        return False

    # the truth

    @staticmethod
    def answer(*messages: str) -> str:
        """What the model server answers to these messages of a user, the last of which counts."""
        return plan([{"role": "user", "content": message} for message in messages]).text

    # what telemetry says

    def samples(self, path: str = "/metrics") -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample of /metrics, by name and labels; the app may be mounted under another path."""
        families = text_string_to_metric_families(self.get(path).text)
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples
        }

    def total(self, name: str, **labels: str) -> float:
        """The sum over the series of a sample's name that have these labels; AssertionError where there is no such series."""
        wanted = set(labels.items())
        values = [value for (sample, found), value in self.samples().items() if sample == name and wanted <= found]
        assert values, f"no {name} with {labels} on /metrics"
        return sum(values)

    def spans(self, *names: str, timeout: float = 10.0) -> list[Span]:
        """The spans in the trace file; with `names`, waits until each of these is there."""
        if names:
            wait_for(lambda: set(names) <= {span.name for span in self._spans()}, f"the spans {', '.join(names)}", timeout)
        return self._spans()

    def log_records(self, file: str = "chatbot.json.log") -> list[dict[str, Any]]:
        """The records in a log file and in what was rotated away from it."""
        return [json.loads(line) for path in sorted(self.logs.glob(f"{file}*")) for line in _whole_lines(path)]

    def _spans(self) -> list[Span]:
        lines = [line for path in sorted(self.logs.glob("traces*jsonl*")) for line in _whole_lines(path)]
        return [span for line in lines for span in spans_of(json.loads(line))]


def _whole_lines(path: Path) -> list[str]:
    """The lines of a file that somebody may be writing just now: what follows the last line's end is left out."""
    if path.suffix in (".lock", ".gz") or not path.is_file():
        return []
    return [line for line in path.read_text().split("\n")[:-1] if line]


def spans_of(request: Mapping[str, Any]) -> Iterable[Span]:
    """The spans of one export request in OTLP-JSON."""
    for resource in request.get("resourceSpans", []):
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                yield Span(
                    name=span["name"],
                    kind=("", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")[span.get("kind", 0)],
                    trace_id=span["traceId"],
                    span_id=span["spanId"],
                    parent_id=span.get("parentSpanId", ""),
                    scope=scope.get("scope", {}).get("name", ""),
                    attributes={pair["key"]: _value(pair["value"]) for pair in span.get("attributes", [])},
                    error=span.get("status", {}).get("code") == 2,
                    start=int(span["startTimeUnixNano"]) / 1e9,
                    end=int(span["endTimeUnixNano"]) / 1e9,
                )


def _value(value: Mapping[str, Any]) -> Any:
    [(kind, inner)] = value.items()
    if kind == "intValue":
        return int(inner)
    if kind == "arrayValue":
        return [_value(item) for item in inner.get("values", [])]
    return inner
