"""Conversations: what each came to, page by page, and one of them turn by turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.viewer import batch_of, chat, log_request, store, trace_request

from otel_chatbot.ui.queries import conversations
from otel_chatbot.ui.store import Store


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """120 conversations of one turn each; one of three turns, of which the last failed, with its phases and its words."""
    one = store(tmp_path_factory.mktemp("conversations"))
    spans: list[Any] = []
    for number in range(1, 121):
        spans += chat(number, number, conversation=f"talk-{number}", cost=number / 1000)
    for number in range(200, 203):
        spans += chat(number, number, conversation="long", failed=number == 202)
    spans[-3]["attributes"] |= {"chatbot.turn.total": 0.5, "chatbot.turn.history": 0.25}
    spans[-1]["attributes"] |= {"gen_ai.input.messages": "asked", "gen_ai.output.messages": "answered"}
    one.write(batch_of(trace_request(*spans), log_request({"body": "a line of the turn", "trace": 202, "at": 202})))
    yield one
    one.close()


def names(kept: Store, **wanted: Any) -> list[str]:
    """All conversations that are wanted, page by page."""
    found: list[str] = []
    with kept.reading() as db:
        while True:
            page = conversations.conversations(db, conversations.WantedConversations(**wanted))
            found += [one["id"] for one in page["conversations"]]
            if page["before"] is None:
                return found
            wanted["before"] = int(page["before"])


def test_all_conversations_are_listed_newest_first_each_once(kept: Store) -> None:
    assert names(kept) == ["long", *(f"talk-{number}" for number in range(120, 0, -1))]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"failed": True}, ["long"]),
        ({"cost": 0.1195}, ["talk-120"]),
        ({"slow": 501}, []),
        ({"model": "another"}, []),
        ({"text": "talk-77"}, ["talk-77"]),
        ({"text": "answered"}, ["long"]),
    ],
)
def test_a_list_is_narrowed_by_what_a_conversation_came_to(kept: Store, wanted: dict[str, Any], found: list[str]) -> None:
    assert names(kept, **wanted) == found


def test_a_conversation_is_summed_up(kept: Store) -> None:
    with kept.reading() as db:
        one = conversations.conversation(db, "long")
    assert one is not None
    assert (one["turns"], one["calls"], one["errors"]) == (3, 3, 1)
    assert (one["tokens_in"], one["tokens_out"], one["cost"]) == (90, 36, pytest.approx(0.003))
    assert (one["slowest_ms"], one["models"]) == (pytest.approx(500), ["gpt-4o-mini"])


def test_its_turns_are_in_order_with_phases_words_spans_and_records(kept: Store) -> None:
    with kept.reading() as db:
        one = conversations.conversation(db, "long")
    assert one is not None
    turns = one["timeline"]
    assert [int(turn["trace"], 16) for turn in turns] == [200, 201, 202]
    last = turns[-1]
    assert (last["name"], last["code"], last["failed"], last["error"]) == ("POST /chat", 502, True, "error")
    assert last["phases"] == {"total": 500.0, "history": 250.0}
    assert [(said["asked"], said["answered"]) for said in last["said"]] == [("asked", "answered")]
    assert (len(last["spans"]), [line["body"] for line in last["logs"]]) == (3, ["a line of the turn"])


def test_a_conversation_that_is_not_there_is_none(kept: Store) -> None:
    with kept.reading() as db:
        assert conversations.conversation(db, "nobody's") is None


def test_who_only_reads_or_deletes_has_no_turn_and_who_is_answered_from_a_cache_has_one(tmp_path: Path) -> None:
    def request(number: int, name: str, talk: str, **attributes: Any) -> dict[str, Any]:
        told = {"gen_ai.conversation.id": talk, **attributes}
        return {"trace": number, "span": 1, "name": name, "start": number, "attributes": told}

    one = store(tmp_path)
    spans = [*chat(1, 1, conversation="talk"), request(2, "GET /talks/<id>", "talk"), request(3, "DELETE /talks/<id>", "talk"),
             request(4, "GET /talks/<id>", "read alone"), request(5, "GET /ask", "cached", **{"chatbot.turn.total": 0.1})]  # fmt: skip
    one.write(batch_of(trace_request(*spans)))
    assert names(one) == ["cached", "talk"]
    with one.reading() as db:
        talk, read, cached = (conversations.conversation(db, name) for name in ("talk", "read alone", "cached"))
    one.close()
    assert talk is not None
    assert (talk["turns"], [turn["aside"] for turn in talk["timeline"]]) == (1, [False, True, True])
    assert read is not None
    assert (read["turns"], read["timeline"][0]["aside"]) == (0, True)
    assert cached is not None
    assert (cached["turns"], cached["timeline"][0]["aside"]) == (1, False)


@pytest.mark.parametrize(
    ("captured", "shown"),
    [
        ('[{"role":"system","parts":[{"type":"text","content":"be kind"}]},{"role":"user","parts":[{"content":"what is it?"}]}]', "what is it?"),
        ("captured by something else", ""),
        ("[]", ""),
        (7, ""),
        (None, ""),
    ],
)  # fmt: skip
def test_a_list_says_what_was_asked_first_where_the_app_captured_it(tmp_path: Path, captured: Any, shown: str) -> None:
    one = store(tmp_path)
    spans = chat(1)
    if captured is not None:
        spans[-1]["attributes"]["gen_ai.input.messages"] = captured
    one.write(batch_of(trace_request(*spans, *chat(2, 9))))
    with one.reading() as db:
        [listed] = conversations.conversations(db, conversations.WantedConversations())["conversations"]
    one.close()
    assert listed["asked"] == shown
