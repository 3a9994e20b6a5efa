"""The standard library's HTTP client: the rest of the instrumentation is loaded with its first POST, which is followed already."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clients.shapes import SHAPES
from support.process import BIN, clean_env
from support.wires.server import WiresServer

WHOLE = next(shape for shape in SHAPES if shape.name == "openai_chat")


@pytest.fixture
def server() -> Iterator[WiresServer]:
    made = WiresServer().start()
    yield made
    made.shutdown()
    made.server_close()


LATE = """
import json, sys
from http.client import HTTPConnection
from urllib.request import Request, urlopen
import flask
loaded = lambda: any(name.endswith("genai.call") for name in sys.modules)
seen = [loaded()]
url, body = sys.argv[1], json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi wires:plain:late"}]}).encode()
urlopen(url, timeout=60).read()
seen.append(loaded())
for _ in range(2):
    urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=60).read()
from otel_chatbot.metrics.view import read
from otel_chatbot.semconv import metrics as m
calls = sum(sum(point.counts) for family in read() if family.spec is m.AI_RESPONSE_TIME for point in family.histograms)
print(json.dumps([*seen, loaded(), calls]))
"""


def test_what_follows_is_loaded_with_the_first_post(server: WiresServer, tmp_path: Path) -> None:
    command = [str(BIN / "opentelemetry-instrument"), sys.executable, "-c", LATE, server.url + WHOLE.path]
    env = clean_env({"CHATBOT_OTEL_LOG_DIR": str(tmp_path / "logs"), "OTEL_SDK_DISABLED": "false"})
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, cwd=tmp_path)
    assert done.stdout, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [False, False, True, 2], done.stderr[-3000:]
