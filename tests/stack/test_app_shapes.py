"""Six small chatbots, each of another shape, as a user runs them: all sixteen figures are right with no setting, or say why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.process import BIN, Process, free_port
from support.servers import MongoServer, RedisServer
from support.wires.server import WiresServer

from otel_chatbot.semconv import metrics as m

APPS = Path(__file__).parent / "apps" / "shapes"
NO_CACHE = {"cache_hits", "cache_misses", "cache_size", "cache_operation_time"}
NO_DATABASE = {"db_queries", "db_query_time", "db_connections"}


@pytest.fixture(scope="module")
def model() -> Iterator[WiresServer]:
    server = WiresServer().start()
    yield server
    server.shutdown()
    server.server_close()


@dataclass
class Ran:
    """What an app told at its end, beside the model server's truth."""

    truth: dict[str, float]
    shown: dict[str, float]
    why: dict[str, str]
    calls: int

    def check(self, empty: dict[str, str]) -> None:
        """The figures are the truth; those that are empty are these, each for a reason with these words."""
        by_row = {"errors_total": "errors"}
        wanted = {by_row.get(spec.python, spec.python): 0.0 for spec in m.CHATBOT} | self.truth
        wanted |= {"db_query_time": wanted["db_queries"], "response_time": wanted["api_requests"]}
        wanted["ai_response_time"] = float(self.calls)
        shown = {by_row.get(spec.python, spec.python): self.shown[spec.prometheus] for spec in m.CHATBOT}
        for free in ("db_connections", "cache_size", "cache_operation_time"):
            if free not in empty and not wanted[free]:
                assert shown[free] > 0
                wanted[free] = shown[free]
        assert shown == wanted
        why = {by_row.get(spec.python, spec.python): self.why.get(spec.prometheus) for spec in m.CHATBOT}
        assert {name for name, reason in why.items() if reason} == set(empty)
        assert [name for name, words in empty.items() if words not in str(why[name])] == [], why


def run(app: str, folder: Path, model: WiresServer, mongo: MongoServer, *, bin_: Path = BIN, scale: int = 1, **env: str) -> Ran:
    model.ledger.begin()
    settings = {
        "MODEL_URL": model.url, "MONGO": mongo.uri, "PORT": str(free_port()), "TURNS": str(12 * scale),
        "CHATBOT_OTEL_LOG_DIR": str(folder / "logs"), "PATH": f"{bin_}:/usr/bin:/bin", "PYTHONPATH": str(APPS),
    }  # fmt: skip
    command = [str(bin_ / "opentelemetry-instrument"), str(bin_ / "python"), str(APPS / f"{app}.py")]
    with Process(command, folder, {**settings, **env}, name=app) as process:
        assert process.popen.wait(120) == 0, process.stderr
        told = json.loads(process.stdout.splitlines()[-1])
    shown = {name: float(found.get("value", found.get("count"))) for name, found in told["shown"]["metrics"].items()}
    why = {each["figure"]: each["why"] for each in told["empty"]}
    return Ran(told["truth"], shown, why, len({(r.call, r.number) for r in model.ledger.records if r.counts}))


def test_questions_with_their_answers(tmp_path: Path, model: WiresServer, mongo_server: MongoServer, scale: int) -> None:
    ran = run("exchanges", tmp_path, model, mongo_server, scale=scale)
    ran.check({
        **dict.fromkeys(NO_CACHE, "no cache is used"), "errors": "nothing has failed",
        "conversations_created": "no document that was written to MongoDB is a conversation",
    })  # fmt: skip


def test_langchains_history_and_ollama_by_rest(
    tmp_path: Path, model: WiresServer, mongo_server: MongoServer, scale: int
) -> None:
    ran = run("message_store", tmp_path, model, mongo_server, scale=scale)
    ran.check({
        **dict.fromkeys(NO_CACHE, "no cache is used"), "errors": "nothing has failed",
        "conversations_created": "no document that was written to MongoDB is a conversation",
    })  # fmt: skip


def test_socketio_with_pushed_messages(
    tmp_path: Path, model: WiresServer, mongo_server: MongoServer, extensions: Path, scale: int
) -> None:
    ran = run("socket_pushes", tmp_path, model, mongo_server, bin_=extensions, scale=scale)
    ran.check({
        **dict.fromkeys(NO_CACHE, "no cache is used"), "errors": "nothing has failed", "active_users": "no user is known",
        "active_conversations": "no conversation is known",
    })  # fmt: skip


def test_assistants_with_their_threads(tmp_path: Path, model: WiresServer, mongo_server: MongoServer, scale: int) -> None:
    ran = run("assistants", tmp_path, model, mongo_server, scale=scale)
    ran.check({
        **dict.fromkeys(NO_CACHE, "no cache is used"), **dict.fromkeys(NO_DATABASE, "no MongoDB is used"),
        "errors": "nothing has failed", "active_users": "no user is known",
        "conversations_created": "a model's call does not say which one it belongs to",
    })  # fmt: skip


def test_accounts_with_arrays_that_are_set_as_a_whole(
    tmp_path: Path, model: WiresServer, mongo_server: MongoServer, extensions: Path, scale: int
) -> None:
    ran = run("login_arrays", tmp_path, model, mongo_server, bin_=extensions, scale=scale)
    ran.check(dict.fromkeys(NO_CACHE, "no cache is used"))


def test_histories_in_redis_lists_and_gemini_by_requests(
    tmp_path: Path, model: WiresServer, mongo_server: MongoServer, redis_server: RedisServer, scale: int
) -> None:
    env = {"REDIS": redis_server.url.removesuffix("0") + "7"}
    ran = run("redis_lists", tmp_path, model, mongo_server, scale=scale, **env)
    ran.check({
        **dict.fromkeys(NO_DATABASE, "pymongo is imported, and no command was sent"), "errors": "nothing has failed",
        "cache_hits": "no read of the cache has found anything yet",
    })  # fmt: skip
