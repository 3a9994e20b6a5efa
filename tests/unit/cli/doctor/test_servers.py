"""MongoDB and Redis are asked at the app's own addresses, and no finding shows user or password."""

from __future__ import annotations

import pytest
from support.process import free_port
from support.servers import MongoServer, RedisServer

from otel_chatbot import config
from otel_chatbot.cli.doctor.findings import Finding, Status
from otel_chatbot.cli.doctor.servers import servers


def found(monkeypatch: pytest.MonkeyPatch, **environ: str) -> dict[str, Finding]:
    settings = config.Settings.from_env(environ)
    monkeypatch.setattr(config, "current", lambda: settings)
    return {one.name: one for one in servers()}


def test_what_has_no_address_is_not_looked_at_and_its_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told = found(monkeypatch)
    assert {name: one.looked_at for name, one in told.items()} == {"mongodb": False, "redis": False}
    assert told["mongodb"].remedy == "set MONGODB_URI as the app has it"


def test_servers_that_answer_are_well_and_shown_without_credentials(
    monkeypatch: pytest.MonkeyPatch, mongo_server: MongoServer, redis_server: RedisServer
) -> None:
    told = found(monkeypatch, MONGODB_URI=f"{mongo_server.uri}?appName=hunter2", REDIS_URL=redis_server.url)
    assert {one.status for one in told.values()} == {Status.WELL}
    assert told["mongodb"].message.startswith(f"{mongo_server.uri} answered in ")
    assert told["redis"].message.startswith(f"{redis_server.url} answered in ")


def test_one_that_does_not_answer_is_a_fault_and_the_other_is_still_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    told = found(monkeypatch, REDIS_URL=f"redis://me:hunter2@127.0.0.1:{port}/0", MONGODB_URI="mongodb://me:hunter3@h:port/")
    assert [one.status for one in told.values()] == [Status.FAILED] * 2
    assert told["redis"].message.startswith(f"redis://127.0.0.1:{port}/0 does not answer: ConnectionError: ")
    assert told["redis"].remedy == "see whether it runs; it is set by REDIS_URL"
    assert "hunter" not in "".join(one.message for one in told.values())


def test_a_wrong_password_is_a_fault_that_does_not_show_it(monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer) -> None:
    address = redis_server.url.replace("redis://", "redis://nobody:hunter2@")
    told = found(monkeypatch, REDIS_URL=address)["redis"]
    assert told.status is Status.FAILED
    assert "hunter2" not in told.message
