"""What a deployment tells: its version to every signal, itself to traces and Grafana, and a person what only a person can mend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.operate import APP, CODE, Locks, Service

from otel_chatbot.testing import OtlpSink

SIGNALS = {"/v1/traces", "/v1/metrics", "/v1/logs"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Locks and virtual environments."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def own(tmp_path: Path, shared: Path) -> Iterator[Service]:
    """A service with nothing deployed."""
    service = Service(tmp_path, Locks(shared / "locks"), shared / "venvs")
    yield service
    service.end()


@contextmanager
def grafana() -> Iterator[tuple[str, list[tuple[str, str, dict[str, Any]]]]]:
    """A stand-in that takes annotations as Grafana does: its address, and path, credentials and body of each request."""
    taken = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            taken.append((self.path, self.headers["Authorization"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}", taken
        server.shutdown()
        serving.join()


def versions(sink: OtlpSink) -> dict[str, set[str]]:
    """By path of each signal, the versions that came with it."""
    found: dict[str, set[str]] = {}
    for path, message in sink.requests:
        groups = next(value for _, value in message.ListFields())
        for group in groups:
            attributes = {pair.key: pair.value.string_value for pair in group.resource.attributes}
            found.setdefault(path, set()).add(attributes.get("service.version", "none"))
    return found


def with_version(sink: OtlpSink, version: str) -> set[str]:
    return {path for path, there in versions(sink).items() if version in there}


def test_every_signal_carries_the_version_and_the_deployment_is_in_traces_and_in_grafana(
    own: Service, otlp_sink: OtlpSink
) -> None:
    with grafana() as (url, annotations):
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint, "GRAFANA_URL": url, "GRAFANA_TOKEN": "a-token"}
        settings |= {"OTEL_METRIC_EXPORT_INTERVAL": "500", "OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_BLRP_SCHEDULE_DELAY": "200"}
        own.config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        logs = APP.replace("    text = ", '    app.logger.warning("a chat")\n    text = ')
        for version in ("1.0", "2.0"):
            done = own.deploy("--version", version, "--yes", "--config", str(own.config), app=own.source("logs", logs))
            assert done.code == 0, done
            own.chat("hello")
            assert otlp_sink.wait(lambda sink, version=version: with_version(sink, version) == SIGNALS, 60), versions(otlp_sink)
    assert versions(otlp_sink) == {path: {"1.0", "2.0"} for path in SIGNALS}
    assert [(path, token, body["tags"]) for path, token, body in annotations] == [
        ("/api/annotations", "Bearer a-token", ["deploy", "chatbot", f"version:{version}"]) for version in ("1.0", "2.0")
    ]
    told = [span for span in otlp_sink.spans() if span.name == "deployment"]
    assert len(told) == 2, "a candidate sends nothing"


POISONED = "DATA = Path(os.environ['DATA_DIR'], 'poison')\nif DATA.exists():\n    raise SystemExit('poisoned')\n"
POISONS = "if os.environ['PORT'] == '{port}':\n    DATA.touch()\n    raise SystemExit('it fails live, and spoils the data')\n"


def test_a_service_that_cannot_be_put_back_needs_a_person_and_the_backup_is_whole(own: Service) -> None:
    def app(name: str, more: str) -> Path:
        return own.source(name, APP.replace("app = Flask", f"{more}app = Flask"))

    assert own.deploy("--version", "1", "--yes", app=app("good", POISONED)).code == 0
    own.chat("kept in the data")
    before = own.state(CODE)
    done = own.deploy("--version", "2", "--yes", app=app("bad", POISONED + POISONS.format(port=own.port)))
    assert done.code == 3, done
    assert "it fails live" in done.stderr
    assert "the service could not be put back" in done.stderr
    assert "restore it by hand" in done.stderr

    (own.home / "data" / "poison").unlink()
    back = own.rollback("--backup", own.backups()[-1].name, "--yes", "--timeout", "60")
    assert back.code == 0, back
    assert own.state(CODE) == before
    assert "kept in the data" in (own.home / "data" / "chats.txt").read_text()
    assert own.version() == "good"
