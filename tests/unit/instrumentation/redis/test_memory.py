"""What a request has seen of keys: lists that are emptied and written anew, misses that wait for its end, and no more than a few."""

from __future__ import annotations

from otel_chatbot.instrumentation.redis import memory
from otel_chatbot.instrumentation.redis.memory import KnownList, ScopeMemory
from otel_chatbot.metrics import deduplication

PLACE = ("server", "chat:1")


def test_what_is_pushed_into_a_known_list_is_new() -> None:
    known = KnownList([b"a"])
    assert [known.add(item) for item in ("a", "b")] == [True, True]


def test_what_a_list_held_before_it_was_emptied_is_not_new_as_often_as_it_was_there() -> None:
    known = KnownList(["a", b"b"])
    known.clear()
    assert [known.add(item) for item in (b"b", "a", "a", "c")] == [False, False, True, True]


def test_a_list_that_is_emptied_twice_in_a_row_still_knows_what_it_held() -> None:
    known = KnownList(["a"])
    known.clear()
    known.clear()
    assert not known.add("a")


def test_nothing_is_new_in_a_list_of_which_nobody_knows_what_it_held() -> None:
    known = KnownList()
    known.lost = True
    assert [known.add("a"), known.empty] == [False, False]
    known.clear()
    assert known.add("b"), "it was emptied again, and now all is known"


def test_a_list_is_empty_where_nothing_is_and_was_in_it() -> None:
    known = KnownList()
    assert known.empty
    known.add("a")
    assert not known.empty
    known.clear()
    assert not known.empty


def test_a_list_whose_content_was_lost_or_never_seen_is_unknown() -> None:
    seen = ScopeMemory()
    assert seen.unknown(PLACE)
    known = seen.keep_list(PLACE, KnownList())
    assert not seen.unknown(PLACE)
    known.lost = True
    assert seen.unknown(PLACE)


def test_a_scope_remembers_no_more_than_the_latest_keys() -> None:
    seen = ScopeMemory()
    for number in range(memory.MOST + 1):
        seen.keep_list(("server", str(number)), KnownList())
        seen.keep_value(("server", str(number), ""), {})
    assert seen.listed(("server", "0")) is None
    assert seen.value(("server", "0", "")) is None
    assert seen.listed(("server", "1")) is not None


def test_a_miss_waits_for_the_end_unless_a_chat_is_written_there() -> None:
    seen, missed = ScopeMemory(), list[int]()
    for key in ("chat:1", "chat:2", "chat:3"):
        seen.wait(("server", key), missed.append)
    seen.is_chat((*PLACE, "field"))
    assert missed == []
    seen.close()
    seen.close()
    assert missed == [2]


def test_misses_without_an_end_do_not_all_wait() -> None:
    seen, missed = ScopeMemory(), list[int]()
    for number in range(memory.MOST + 3):
        seen.wait(("server", str(number)), missed.append)
    assert missed == [1, 1, 1]
    seen.close()
    assert sum(missed) == memory.MOST + 3


def test_the_memory_is_the_scopes_and_can_wait_for_the_end_of_a_request_alone() -> None:
    with deduplication.request_scope():
        here = memory.current()
        assert memory.current() is here
        assert memory.can_wait()
        with deduplication.request_scope():
            assert memory.current() is not here
    assert memory.current() is not here
