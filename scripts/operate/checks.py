"""Checks an instance of the service: health, the six routes, a chat, the metrics.

Fed by a port; feeds `deploy` and `rollback` with an OperateError that says which answer was wrong.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import configuration
from layout import ROOT, Home, OperateError, Release, python_of

sys.path.insert(0, str(ROOT))
from otel_chatbot.semconv.metrics import API_REQUESTS, CHATBOT  # names stand in one place; it imports no library

ROUTES = ("/health", "/health/live", "/health/ready", "/health/detailed", "/metrics", "/metrics/json")
_APART = ("/health/detailed", "/metrics", "/metrics/json")
"""The routes that CHATBOT_OTEL_ENDPOINT_PORT moves to a separate port."""
_NAMES = re.compile(r"^# TYPE (\S+) ", re.MULTILINE)
_SAMPLE = re.compile(rf"^{API_REQUESTS.prometheus}(?:{{[^}}]*}})? (\S+)", re.MULTILINE)
_DATABASE = Path(__file__).with_name("ask_databases.py")


@dataclasses.dataclass(frozen=True)
class Question:
    """One request of the smoke test. `clean_up` is a path to DELETE afterwards, filled from the answer."""

    method: str = "POST"
    path: str = "/chat"
    json: Any = dataclasses.field(default_factory=lambda: {"message": "Are you there?", "user_id": "smoke-test"})
    status: int = 200
    clean_up: str = "/conversations/{conversation_id}"


def questions(app: Path) -> list[Question]:
    """The smoke test of an app: its smoke.json, a list of such requests; without one, a chat."""
    path = app / "smoke.json"
    if not path.exists():
        return [Question()]
    try:
        return [Question(**{"clean_up": "", **one}) for one in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise OperateError(f"{path} is not a list of requests: {error}.", "Correct the file.") from error


class Instance:
    """An instance on a loopback port; `alive` says whether its process runs, `said` gives its last lines."""

    def __init__(self, port: int, config: Mapping[str, str], alive: Callable[[], bool], said: Callable[[], str]) -> None:
        self._port = port
        self._alive = alive
        self._said = said
        self._apart = int(config.get("CHATBOT_OTEL_ENDPOINT_PORT") or 0)
        token = config.get("CHATBOT_OTEL_ENDPOINT_TOKEN", "")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def healthy(self, seconds: float) -> str:
        """Wait until it is alive and ready; return the answer of the readiness check."""
        limit = time.monotonic() + seconds
        for path in ("/health/live", "/health/ready"):
            status, body = self._wait(path, limit)
            if status != 200:
                raise OperateError(
                    f"{path} answers {status or 'nothing'}: {_unhealthy(body)}\n{self._said()}".rstrip(),
                    "See its output above; the checks that are not healthy name what it cannot reach.",
                )
        state = json.loads(body).get("status", "healthy") if body.startswith("{") else "healthy"
        return f"ready ({state})"

    def _wait(self, path: str, limit: float) -> tuple[int, str]:
        while True:
            status, body = self._ask("GET", path)
            if status == 200 or time.monotonic() > limit:
                return status, body
            if not self._alive():
                raise OperateError(f"It ended before it answered {path}.\n{self._said()}", "See its output above.")
            time.sleep(0.2)

    def smoke(self, asked: Sequence[Question]) -> str:
        """Check that a chat and the six routes are answered, and that the metrics have counted the chat."""
        before = self._counted()
        for one in asked:
            self._put(one)
        for path in ROUTES:
            status, body = self._ask("GET", path)
            if status != 200:
                raise OperateError(f"{path} answers {status or 'nothing'}: {body[:200]}", "See otel-chatbot doctor URL.")
        names = set(_NAMES.findall(self._ask("GET", "/metrics")[1]))
        missing = [spec.prometheus for spec in CHATBOT if spec.prometheus not in names]
        if missing:
            raise OperateError(f"/metrics lacks {', '.join(missing)}.", "Is the service started observed? See the docs.")
        counted = self._counted() - before
        if counted < len(asked):
            raise OperateError(
                f"{API_REQUESTS.prometheus} grew by {counted:g} for {len(asked)} requests.", "See otel-chatbot doctor URL."
            )
        chats = f"{len(asked)} request{'s' * (len(asked) > 1)}, " if asked else ""
        return f"{chats}{len(ROUTES)} routes, {len(CHATBOT)} metrics"

    def _put(self, one: Question) -> None:
        status, body = self._ask(one.method, one.path, one.json, 60.0)
        if status != one.status:
            raise OperateError(
                f"{one.method} {one.path} answers {status or 'nothing'} instead of {one.status}: {body[:300]}\n{self._said()}".rstrip(),
                "See its output above.",
            )
        if one.clean_up:
            try:
                self._ask("DELETE", one.clean_up.format(**json.loads(body)))
            except (ValueError, KeyError, TypeError):
                return

    def _counted(self) -> float:
        return sum(float(value) for value in _SAMPLE.findall(self._ask("GET", "/metrics")[1]))

    def _ask(self, method: str, path: str, body: Any = None, seconds: float = 10.0) -> tuple[int, str]:
        """Status and text; 0 and the reason if there is no answer."""
        port = self._apart if self._apart and path in _APART else self._port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
        headers = {**self._headers, **({"Content-Type": "application/json"} if body is not None else {})}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, f"{type(error).__name__}: {error}"
        finally:
            connection.close()


def databases(home: Home, release: Release, config: Mapping[str, str]) -> str:
    """Ask MongoDB and Redis with the service's own libraries and configuration; OperateError when MongoDB does not answer."""
    python = python_of(home.venvs / release.venv)
    asked = subprocess.run(
        [str(python), str(_DATABASE)], capture_output=True, text=True, check=False, env=configuration.environment(config)
    )
    said = configuration.masked((asked.stdout or asked.stderr).strip())
    if asked.returncode:
        raise OperateError(
            said.splitlines()[-1] if said else "no answer", "Check MONGODB_URI in the configuration (--config FILE)."
        )
    return said.replace("\n", "; ")


def _unhealthy(body: str) -> str:
    try:
        checks = json.loads(body)["checks"]
        named = checks.items() if isinstance(checks, dict) else ((one.get("name"), one) for one in checks)
        return (
            "; ".join(f"{name}: {one.get('message', '')}" for name, one in named if one.get("status") == "unhealthy")
            or body[:300]
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return body[:300]
