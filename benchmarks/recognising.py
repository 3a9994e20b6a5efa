"""What it costs to recognise a document: the listener's work for one insert, by what is inserted.

    python benchmarks/recognising.py [--rounds 15]

Ours is an insert as chatbots make it, recognised by its shape; the peer is the same insert into a collection that the
settings name, which needs no recognising. Both count. The last row has no peer's document: there the peer counts a message.
Prints a line of JSON per row, for `run.py`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from figures import Row, compare
from pymongo.monitoring import CommandStartedEvent, CommandSucceededEvent

from otel_chatbot import config
from otel_chatbot.instrumentation.chats.current import Known
from otel_chatbot.instrumentation.chats.recognise import Recogniser
from otel_chatbot.instrumentation.mongodb import commands
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.timezone.utc)
BY_SHAPE = config.Settings()
BY_NAME = config.Settings(conversations_collection="c", messages_collection="m", messages_field="messages", role_field="role")
MESSAGE = {"_id": 1, "conversation_id": "c1", "role": "user", "content": "hello", "created_at": NOW}
CONVERSATION = {"_id": 1, "user_id": "u", "messages": [{"role": "user", "content": "hello"}], "created_at": NOW}
ORDER = {"_id": 1, "user_id": "u", "items": [{"sku": 1}], "total": 3.0, "created_at": NOW}
TABLE = (
    ("a message", "chat_log", MESSAGE, "m", MESSAGE, 1),
    ("a hundred messages", "chat_log", MESSAGE, "m", MESSAGE, 100),
    ("a conversation with a message", "chats", CONVERSATION, "c", CONVERSATION, 1),
    ("an order, which is no chat", "orders", ORDER, "m", MESSAGE, 1),
)


def insert(settings: config.Settings, collection: str, documents: list[dict[str, Any]]) -> Callable[[], None]:
    """One insert, as pymongo tells it to the listener."""
    listener, recogniser = commands.CommandFigures(), Recogniser(settings)
    command = {"insert": collection, "ordered": True, "$db": "chat", "documents": documents}
    started = CommandStartedEvent(command, "chat", 1, ("db", 27017), 1)
    succeeded = CommandSucceededEvent(
        dt.timedelta(microseconds=300), {"n": len(documents), "ok": 1.0}, "insert", 1, ("db", 27017), 1, database_name="chat"
    )

    def run() -> None:
        Known.recogniser, Known.settings = recogniser, config.current()
        listener.started(started)
        listener.succeeded(succeeded)

    return run


def rows(rounds: int) -> list[Row]:
    """A row for each kind of document."""
    record.activate(m.DB_QUERIES, m.DB_QUERY_TIME, m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED)
    found = []
    with deduplication.request_scope():
        for what, collection, document, named, peer, number in TABLE:
            ours, theirs = insert(BY_SHAPE, collection, [document] * number), insert(BY_NAME, named, [peer] * number)
            times = 2_000 // number + 100
            found.append(
                compare(
                    f"recognising an insert of {what}", ours, "named by settings", theirs, rounds=rounds, times=times, goal=1.2
                )
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    for row in rows(parser.parse_args().rounds):
        print(json.dumps(row.as_dict()), flush=True)


if __name__ == "__main__":
    main()
