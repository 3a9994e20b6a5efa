"""The example chatbot, deployed, broken and rolled back by the scripts, with its database, cache and model as real servers.

And what a deployment tells the telemetry.
"""

from __future__ import annotations

import time
from pathlib import Path

from support.chat import ChatClient
from support.model import ModelServer
from support.operate import ROOT, Locks, Service
from support.process import Process, clean_env, program
from support.servers import MongoServer, RedisServer

from otel_chatbot.testing import OtlpSink

EXAMPLE = ROOT / "examples" / "chatbot"


def test_the_example_is_deployed_broken_and_rolled_back(
    tmp_path: Path, mongo_server: MongoServer, redis_server: RedisServer
) -> None:
    with ModelServer(tmp_path / "model") as model:
        servers = {
            "MONGODB_URI": f"{mongo_server.uri}deployed",
            "REDIS_URL": redis_server.url,
            "OPENAI_BASE_URL": model.url,
            "OPENAI_API_KEY": "local",
        }
        service = Service(tmp_path / "service", Locks(tmp_path / "locks"), tmp_path / "venvs", servers)
        try:
            story(service)
        finally:
            service.end()


def story(service: Service) -> None:
    config = ("--config", str(service.config))
    client = ChatClient(service.port)
    good = service.deploy("--version", "1.0", "--yes", *config, app=EXAMPLE)
    assert good.code == 0, good
    assert "MongoDB answered" in good.stdout
    kept = client.chat("a chat of version 1.0", user_id="ada").json
    assert client.get("/conversations?user_id=smoke-test").json == {"conversations": []}, "the smoke test cleaned up"

    before, pid = service.state(), service.pid
    broken = service.source("broken", (EXAMPLE / "app.py").read_text())
    for path in EXAMPLE.glob("*.py"):
        (broken / path.name).write_text(path.read_text())
    (broken / "views.py").write_text((EXAMPLE / "views.py").read_text().replace("Question.from_request(request)", "1 / 0"))
    refused = service.deploy("--version", "2.0", "--yes", *config, app=broken)
    assert refused.code == 1
    assert "POST /chat answers 500" in refused.stderr
    assert (service.state(), service.pid) == (before, pid)

    (broken / "views.py").write_text((EXAMPLE / "views.py").read_text().replace('"/conversations"', '"/gone"'))
    bad = service.deploy("--version", "3.0", "--yes", *config, app=broken)
    assert bad.code == 0, bad
    assert client.get("/conversations?user_id=ada").status != 200, "what no smoke test asked is broken"
    assert client.get("/health/detailed").json["version"] == "3.0"

    back = service.rollback("--backup", service.backups()[-1].name, "--yes")
    assert back.code == 0, back
    assert client.get("/health/detailed").json["version"] == "1.0"
    [listed] = client.get("/conversations?user_id=ada").json["conversations"]
    assert listed["conversation_id"] == kept["conversation_id"]
    assert service.state(("app",)) == {name: content for name, content in before.items() if name.startswith("app")}


def test_a_marker_of_a_deployment_reaches_the_endpoint(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    env = clean_env({"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint, "OTEL_SERVICE_NAME": "chatbot"})
    command = [program("otel-chatbot", "install the package"), "mark", "deploy", "--version", "2.0", "--previous", "1.9"]
    with Process(command, tmp_path, {k: v for k, v in env.items() if k.startswith("OTEL_")}, name="mark") as marking:
        assert marking.popen.wait(30) == 0, marking.stderr
    [request] = [message for path, message in otlp_sink.requests if path == "/v1/traces"]
    resource = {pair.key: pair.value.string_value for pair in request.resource_spans[0].resource.attributes}
    [span] = request.resource_spans[0].scope_spans[0].spans
    assert (resource["service.name"], resource["service.version"]) == ("chatbot", "2.0")
    assert span.name == "deployment"
    [event] = span.events
    told = {pair.key: pair.value.string_value for pair in event.attributes}
    assert told == {
        "deployment.name": "deploy",
        "deployment.status": "succeeded",
        "service.version": "2.0",
        "chatbot.deployment.previous_version": "1.9",
    }
    assert time.time() - event.time_unix_nano / 1e9 < 120
