"""The example chatbot, deployed, broken and rolled back by the scripts, with its database, cache and model as real servers."""

from __future__ import annotations

from pathlib import Path

from support.chat import ChatClient
from support.model import ModelServer
from support.operate import ROOT, Locks, Service
from support.servers import MongoServer, RedisServer

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
