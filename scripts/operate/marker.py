"""Marks a deployment in the telemetry: a line for Grafana's annotations, and a span with an event.

Fed by `deploy` and `rollback` when they have succeeded; feeds annotations.jsonl, Grafana (where GRAFANA_URL and GRAFANA_TOKEN are
configured) and the collector. The version itself is on every signal, as `service.version`. If a marker cannot be set, a line
says so, and the deployment still counts.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Mapping

import configuration
import service
from layout import Home, Release, python_of

_MARK = "import sys; from otel_chatbot.cli import main; sys.exit(main(sys.argv[1:]))"


def mark(home: Home, action: str, release: Release, before: str) -> list[str]:
    """Set the markers; return one line per failure."""
    config = configuration.read(home.part("service.env"))
    name = config.get("OTEL_SERVICE_NAME", "chatbot")
    annotation = {
        "time": int(time.time() * 1000),
        "tags": [action, name, f"version:{release.version}"],
        "text": f"{name}: {action} {before or 'nothing'} → {release.version}",
    }
    troubles = []
    try:
        with (home.path / "annotations.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(annotation, ensure_ascii=False) + "\n")
    except OSError as error:
        troubles.append(f"annotations.jsonl: {error.strerror}")
    return [*troubles, *_grafana(config, annotation), *_span(home, config, action, release, before)]


def _grafana(config: Mapping[str, str], annotation: Mapping[str, object]) -> list[str]:
    url = config.get("GRAFANA_URL", "").rstrip("/")
    if not url.startswith(("http://", "https://")):
        return []
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {config.get('GRAFANA_TOKEN', '')}"}
    request = urllib.request.Request(f"{url}/api/annotations", json.dumps(annotation).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10):
            return []
    except OSError as error:
        return [f"Grafana did not take the annotation: {error}"]


def _span(home: Home, config: dict[str, str], action: str, release: Release, before: str) -> list[str]:
    if not any(name.startswith("OTEL_EXPORTER_OTLP") and name.endswith("ENDPOINT") for name in config):
        return []
    env = service.environment(home, release, config, 0, home.part("data"), home.part("logs"))
    del env["PYTHONPATH"]  # the marker sets itself up, and serves nothing
    python = python_of(home.venvs / release.venv)
    words = ["mark", action, "--version", release.version, *(["--previous", before] if before else [])]
    told = subprocess.run([str(python), "-c", _MARK, *words], env=env, capture_output=True, text=True, check=False, timeout=60)
    return [] if told.returncode == 0 else [f"the span was not sent: {(told.stderr or told.stdout).strip()[-300:]}"]
