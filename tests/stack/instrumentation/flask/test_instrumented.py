"""A Flask app that knows nothing of the package, under `opentelemetry-instrument` and several workers: exact figures."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request

from support.process import Process, fetch, free_port, get, port_open, program, wait_for

APP = """
from flask import Flask, request

app = Flask(__name__)

@app.before_request
def login():
    if request.path == "/private":
        return "no", 401

@app.post("/chat")
def chat():
    return {"echo": request.get_json()["user_id"]}

@app.get("/crash")
def crash():
    raise LookupError("nothing")
"""


def test_workers_of_one_app_count_every_request_and_each_user_once(tmp_path: Path, scale: int) -> None:
    (tmp_path / "app.py").write_text(APP)
    port, users, rounds = free_port(), 40, 4 * scale
    gunicorn = program("gunicorn", "install it into the environment of the tests")
    launcher = program("opentelemetry-instrument", "install the package into the environment of the tests")
    command = [launcher, gunicorn, "-b", f"127.0.0.1:{port}", "-w", "3", "--threads", "2", "app:app"]
    base = f"http://127.0.0.1:{port}"

    def chat(number: int) -> int:
        body = json.dumps({"user_id": f"user{number % users}", "conversation_id": f"c{number % 7}"}).encode()
        return fetch(Request(f"{base}/chat", body, {"Content-Type": "application/json"}))[0]

    with Process(command, tmp_path, {"OTEL_TRACES_SAMPLER": "always_off"}, name="gunicorn") as server:
        server.wait(lambda: port_open(port) and get(f"{base}/health")[0] == 200, "gunicorn")
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(chat, range(users * rounds))) == {200}
            list(pool.map(lambda number: get(f"{base}/random/{number}"), range(30)))
            list(pool.map(lambda _: get(f"{base}/crash"), range(5)))
            list(pool.map(lambda path: get(base + path), ["/health/ready", "/metrics", "/health/live", "/metrics/json"] * 5))
        status, text = get(f"{base}/metrics")
        assert status == 200
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")

        def value(name: str, **labels: str) -> float:
            shown = ",".join(f'{label}="{text}"' for label, text in labels.items())
            return float(lines[f"{name}{{{shown}}}" if labels else name])

        request = {"http_request_method": "POST", "http_route": "/chat", "http_response_status_code": "200"}
        requests = {name: float(found) for name, found in lines.items() if name.startswith("chatbot_api_requests_total")}
        assert value("chatbot_api_requests_total", **request) == users * rounds
        assert sum(requests.values()) == users * rounds + 30 + 5
        assert len(requests) == 4, "the bare series, /chat, /crash and all unmatched paths as one"
        assert value("chatbot_response_time_seconds_count", **request) == users * rounds
        assert value("chatbot_errors_total", error_type="LookupError") == 5
        assert value("chatbot_active_users") == users
        assert value("chatbot_active_conversations") == 7
        assert not any("health" in name and "http_route" in name for name in lines)
        assert not any(float(found) for name, found in lines.items() if name.startswith("http_server_active_requests"))
        wait_for(lambda: (tmp_path / "logs" / "chatbot.json.log").exists(), "the log file")
