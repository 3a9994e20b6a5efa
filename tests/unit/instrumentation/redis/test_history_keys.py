"""Which keys of a server hold chats: by the type of what lies there, and by names under which chats were seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_chatbot.instrumentation.common import seen
from otel_chatbot.instrumentation.redis import history_keys, keys
from otel_chatbot.metrics.shared.facts import FACTS


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    FACTS.forget()
    yield
    FACTS.forget()


@pytest.mark.parametrize(
    ("kind", "key", "chats"),
    [
        ("list", "chat:1", True),
        ("list", b"message_store:s-1", True),
        ("list", "alice", True),
        ("stream", "room:1", True),
        ("list", "jobs", False),
        ("list", "recent_orders:7", False),
        ("zset", "messages:1", True),
        ("zset", "ranking", False),
    ],
)
def test_a_list_or_a_stream_is_a_chats_unless_its_name_is_of_other_things(kind: str, key: str | bytes, chats: bool) -> None:
    assert history_keys.of_type(kind, key) is chats


def test_names_under_which_the_run_has_seen_chats_are_chats() -> None:
    seen.note(seen.HISTORY, "user chat")
    is_named = history_keys.named()
    assert [is_named(key) for key in ("user_chat:42", b"user_chat:43", "user:42", "chat:42", "answer")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_where_no_chat_was_seen_no_name_is_one() -> None:
    assert not history_keys.named()("chat:42")


def test_keys_without_a_word_are_known_by_their_form() -> None:
    seen.note(seen.HISTORY, keys.form("5511@c.us"))
    seen.note(seen.HISTORY, keys.form("5511:ann"))
    is_named = history_keys.named()
    assert [key for key in ("5522@c.us", b"1@x.y", "5522", "ann@c.us", "9:bob", "9:orders") if is_named(key)] == [
        "5522@c.us", b"1@x.y", "9:bob",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "form"),
    [("5511", "=0"), ("5511@c.us", "=0@a.a"), ("3f2a-77b", "=x-x"), ("3f2a77", "=x"), ("alice", ""), ("ann@x.org", "=a@a.a")],
)
def test_the_form_of_a_key_says_nothing_of_what_it_holds(key: str, form: str) -> None:
    assert keys.form(key) == form
