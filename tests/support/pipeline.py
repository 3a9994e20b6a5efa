"""What stands behind an app: the collector with the configurations of collector/, Prometheus with those of prometheus/.

    with Pipeline(folder, mongo=mongo_server, redis=redis_server) as pipeline:
        pipeline.stack.chat("hello")
        pipeline.prometheus.value("sum(chatbot_messages_sent_total)")   # through the collector
        pipeline.direct.value("sum(chatbot_messages_sent_total)")       # from the app's own /metrics
        pipeline.store.spans(), pipeline.store.logs()                   # what the collector sent on

Feeds the stack tests. All are real processes on free loopback ports. Addresses and intervals come in by the collector's
environment and as arguments of `otel_chatbot.render.scrape`, so that the files are the very ones that are shipped.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from typing_extensions import Self

from otel_chatbot.render import scrape
from otel_chatbot.render.scrape import Addresses
from otel_chatbot.testing import OtlpSink

from .process import Process, free_port, get, program
from .servers import MongoServer, RedisServer
from .stack import Stack

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATIONS = ROOT / "collector"
TOKEN = "token-between-agents-and-gateways"
SAFE_FILES = "--feature-gates=stanza.synchronousLogEmitter"
"""What logs-from-files.yaml asks for."""
SERVICE = "chatbot"
OF_THE_PATH = ("job", "instance", "deployment_environment_name")
"""Labels that say where a series came from, not what it counts."""

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@functools.cache
def collector_binary() -> str:
    """The collector of collector/builder; built first where it is not there, which takes minutes."""
    script = [sys.executable, str(ROOT / "scripts" / "build_collector.py")]
    built = subprocess.run(script, check=False, capture_output=True, text=True, timeout=1800)
    assert built.returncode == 0, f"the collector could not be built:\n{built.stderr[-4000:]}"
    return built.stdout.splitlines()[-1]


def configurations(overlays: Sequence[str] = ()) -> list[str]:
    """The `--config` arguments of config.yaml with overlays, which are named without their suffix."""
    return [word for name in ("config", *overlays) for word in ("--config", str(CONFIGURATIONS / f"{name}.yaml"))]


class Collector(Process):
    """The collector with short intervals and every trace kept, which sends traces and logs to `store`; ready when it is made."""

    def __init__(
        self, folder: Path, store: str, *overlays: str, env: Mapping[str, str] | None = None, flags: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.overlays = overlays
        self.flags = flags
        names = ("otlp_grpc", "otlp_http", "prometheus", "metrics", "health", "balanced")
        self.ports = {name: free_port() for name in names}
        self.env = {"TRACES_ENDPOINT": store, "LOGS_ENDPOINT": store, **(env or {})}
        self.start()

    def start(self) -> None:
        """Start it, again with the same ports and the same storage, and wait until it is healthy."""
        command = [collector_binary(), *configurations(self.overlays), *self.flags]
        super().__init__(command, self.folder, self.environment(), name="collector")
        self.wait(self.healthy, f"the collector ({', '.join(self.overlays) or 'one node'})")

    def environment(self) -> dict[str, str]:
        at = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        return {
            "COLLECTOR_OTLP_GRPC": at["otlp_grpc"],
            "COLLECTOR_OTLP_HTTP": at["otlp_http"],
            "COLLECTOR_PROMETHEUS": at["prometheus"],
            "COLLECTOR_METRICS_HOST": "127.0.0.1",
            "COLLECTOR_METRICS_PORT": str(self.ports["metrics"]),
            "COLLECTOR_HEALTH": at["health"],
            "COLLECTOR_STORAGE": str(self.folder / "storage"),
            "COLLECTOR_SERVER_INTERVAL": "1h",  # nobody is asked, unless a test says whom
            "COLLECTOR_FLUSH_INTERVAL": "1s",
            "COLLECTOR_BATCH_TIMEOUT": "200ms",
            "COLLECTOR_DECISION_WAIT": "1s",
            "COLLECTOR_SAMPLE_PERCENT": "100",
            "REDIS_ADDR": "127.0.0.1:1",
            "MONGODB_ADDR": "127.0.0.1:1",
            "GATEWAY_TOKEN": TOKEN,
            "GATEWAY_INSECURE": "true",
            "GATEWAY_BALANCED": at["balanced"],
            "GATEWAY_BALANCED_PORT": str(self.ports["balanced"]),
            "GATEWAY_HOSTNAME": "127.0.0.1",
            **self.env,
        }

    def app_environment(self) -> dict[str, str | None]:
        """What an app is told, so that it sends to this collector, and soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url("otlp_http"),
            "OTEL_SERVICE_NAME": SERVICE,
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
        }

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def healthy(self) -> bool:
        return get(f"{self.url('health')}/health")[0] == 200

    def metrics(self) -> str:
        """What Prometheus gets of apps and servers, with exemplars."""
        return get(f"{self.url('prometheus')}/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})[1]

    def own_metrics(self) -> str:
        """What Prometheus gets of the collector itself."""
        return get(f"{self.url('metrics')}/metrics")[1]


class Prometheus(Process):
    """Debian's Prometheus with a rendered configuration; ready when it is made."""

    def __init__(self, folder: Path, render: Callable[[Addresses], str], addresses: Addresses) -> None:
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "prometheus.yml"
        config.write_text(render(dataclasses.replace(addresses, prometheus=f"127.0.0.1:{self.port}")))
        super().__init__(
            [
                program("prometheus", "install Debian's prometheus, or run `make setup`"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--enable-feature=exemplar-storage",
            ],
            folder,
            name="prometheus",
        )
        self.wait(lambda: get(f"{self.url}/-/ready")[0] == 200, "Prometheus")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def api(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of the API; AssertionError with the reason where it refuses."""
        status, text = get(f"{self.url}/api/v1/{path}?{urlencode(parameters)}")
        assert status == 200, text
        return json.loads(text)["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The vector that an expression gives now: labels and values."""
        return [(one["metric"], float(one["value"][1])) for one in self.api("query", query=expression)["result"]]

    def value(self, expression: str) -> float | None:
        """The one value that an expression gives now; None where it gives nothing."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def samples(self, service: str = SERVICE) -> Samples:
        """The last value of every series of a service, by name and by those labels that say what it counts."""
        kept = {}
        for labels, value in self.query(f'{{job="{service}"}}'):
            name = labels.pop("__name__")
            kept[name, frozenset(pair for pair in labels.items() if pair[0] not in OF_THE_PATH)] = value
        return kept

    def exemplars(self, expression: str, start: float, end: float) -> list[dict[str, Any]]:
        """The exemplars of the series of an expression, between two times in seconds."""
        found = self.api("query_exemplars", query=expression, start=str(start), end=str(end))
        return [exemplar for series in found for exemplar in series["exemplars"]]

    def targets(self) -> dict[str, str]:
        """What was wrong at the last scrape of each job that was scraped, empty where nothing was."""
        active = self.api("targets")["activeTargets"]
        return {one["labels"]["job"]: one["lastError"] for one in active if one["health"] != "unknown"}


class Pipeline:
    """An app, the collector that it sends to, and two Prometheus servers: one behind the collector, one that asks the app itself.

    `mongo` and `redis` are what the collector's receivers ask, too; the app's MongoDB may be another one (`app_mongo`, such as
    a tap), its Redis is its own. `rules` are the rules' files of both, `app` are further arguments of `Stack`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        mongo: MongoServer,
        redis: RedisServer,
        app_mongo: Any = None,
        rules: str = "",
        interval: str = "1s",
        env: Mapping[str, str | None] | None = None,
        **app: Any,
    ) -> None:
        self.folder = folder
        self.mongo = mongo
        self.redis = redis
        self.app_mongo = app_mongo or mongo
        self.rules = rules
        self.interval = interval
        self.env = dict(env or {})
        self.app = app
        self._open = ExitStack()
        self.store: OtlpSink
        self.collector: Collector
        self.stack: Stack
        self.prometheus: Prometheus
        self.direct: Prometheus

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self.store = opened.enter_context(OtlpSink())
            servers = {
                "REDIS_ADDR": f"127.0.0.1:{self.redis.port}",
                "MONGODB_ADDR": f"127.0.0.1:{self.mongo.port}",
                "COLLECTOR_SERVER_INTERVAL": "1s",
            }
            self.collector = Collector(self.folder / "collector", self.store.endpoint, env=servers)
            opened.enter_context(self.collector)
            env = {**self.collector.app_environment(), **self.env}
            self.stack = opened.enter_context(Stack(self.folder / "app", mongo=self.app_mongo, env=env, **self.app))
            at = self.addresses()
            self.prometheus = Prometheus(self.folder / "prometheus", scrape.prometheus, at)
            opened.enter_context(self.prometheus)
            self.direct = Prometheus(self.folder / "direct", scrape.direct, at)
            opened.enter_context(self.direct)
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def addresses(self) -> Addresses:
        """Where Prometheus finds this pipeline's collector and app."""
        ports = self.collector.ports
        return Addresses(
            collector=f"127.0.0.1:{ports['prometheus']}",
            collector_itself=f"127.0.0.1:{ports['metrics']}",
            apps=(f"127.0.0.1:{self.stack.port}",),
            interval=self.interval,
            rules=self.rules,
        )
