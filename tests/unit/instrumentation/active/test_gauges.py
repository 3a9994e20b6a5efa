"""Whom the app knows, the two gauges know: ids that a request holds, once it has ended well."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, request

from otel_chatbot.config import Settings
from otel_chatbot.instrumentation.active import gauges
from otel_chatbot.instrumentation.active.gauges import CONVERSATIONS, USERS, ActiveWindows, Found

SETTINGS = Settings(user_id_from=("query:user",), conversation_id_from=("query:chat",))


def windows(folder: Path | None = None) -> ActiveWindows:
    return ActiveWindows(SETTINGS, lambda: folder)


def counts(found: ActiveWindows) -> tuple[int, int]:
    return found.count(USERS), found.count(CONVERSATIONS)


def test_a_request_is_seen_by_the_ids_that_it_holds() -> None:
    found = windows()
    with Flask("app").test_request_context("/?user=u&chat=c"):
        held = found.find(request)
        assert (held.user, held.conversation) == ("u", "c")
        assert found.conversation() == "c"
    found.see(held)
    assert counts(found) == (1, 1)


def test_what_is_only_looked_for_is_not_active() -> None:
    found = windows()
    with Flask("app").test_request_context("/?user=u"):
        assert found.find(request).user == "u"
    assert counts(found) == (0, 0)


def test_the_same_id_twice_is_one_and_no_id_is_nobody() -> None:
    found = windows()
    for held in (Found("u"), Found("u"), Found(None, "c"), Found()):
        found.see(held)
    assert counts(found) == (1, 1)


def test_a_user_and_a_conversation_of_the_same_name_are_apart() -> None:
    found = windows()
    found.see(Found("same", "same"))
    found.see(Found("other", "same"))
    assert counts(found) == (2, 1)


def test_outside_of_a_request_no_conversation_is_named() -> None:
    assert windows().conversation() is None


def test_two_processes_of_a_run_count_the_union(tmp_path: Path) -> None:
    one, two = windows(tmp_path), windows(tmp_path)
    one.see(Found("a"))
    two.see(Found("a"))
    two.see(Found("b", "c"))
    assert counts(one) == counts(two) == (2, 1)


def test_a_forked_child_begins_with_nobody_of_its_own() -> None:
    found = windows()
    found.see(Found("u", "c"))
    found.renew()
    assert counts(found) == (0, 0)


def test_what_redis_knows_beyond_this_machine_counts(monkeypatch) -> None:
    found = windows()
    found.see(Found("u"))
    monkeypatch.setattr(found._redis, "count", lambda kind: {USERS: 5, CONVERSATIONS: 0}[kind])
    assert counts(found) == (5, 0)


def test_the_gauge_is_fed(tmp_path: Path) -> None:
    made = ActiveWindows(Settings(), lambda: tmp_path)
    made._ids[USERS].see("x")
    assert (made.count(USERS), made.count(CONVERSATIONS)) == (1, 0)
    assert gauges.ACTIVE is not made
