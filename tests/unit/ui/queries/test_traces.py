from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.viewer import batch_of, chat, log_request, store, trace_request

from otel_chatbot.ui.queries import conversations, logs, traces
from otel_chatbot.ui.queries.common import LOG_TEXT, SPAN_TEXT, Match, match
from otel_chatbot.ui.store import Store


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """300 conversations of one turn each, of which every tenth failed; one of three turns."""
    one = store(tmp_path_factory.mktemp("queries"))
    spans: list[Any] = []
    for number in range(1, 301):
        spans += chat(number, number, conversation=f"talk-{number}", failed=number % 10 == 0, cost=number / 1000)
    for number in range(301, 304):
        spans += chat(number, number, conversation="long")
    spans[3]["attributes"]["user.hash"] = "hash-of-2"
    spans[-1]["attributes"]["gen_ai.output.messages"] = "zebra <script>alert(1)</script>"
    one.write(batch_of(trace_request(*spans)))
    one.write(
        batch_of(
            log_request(
                *(
                    {
                        "body": f"line {number} of the shop",
                        "trace": number,
                        "level": 17 if number % 50 == 0 else 9,
                        "at": number,
                    }
                    for number in range(1, 301)
                )
            )
        )
    )
    yield one
    one.close()


def names(kept: Store, **wanted: Any) -> list[int]:
    """The numbers of all traces that are wanted, page by page."""
    found: list[int] = []
    with kept.reading() as db:
        while True:
            page = traces.traces(db, traces.WantedTraces(**wanted))
            found += [int(one["trace"], 16) for one in page["traces"]]
            if page["before"] is None:
                return found
            wanted["before"] = int(page["before"])


def test_all_traces_are_listed_newest_first_each_once(kept: Store) -> None:
    assert names(kept) == list(range(303, 0, -1))


def test_a_list_is_narrowed_by_failure_status_time_and_route(kept: Store) -> None:
    assert names(kept, failed=True) == list(range(300, 0, -10))
    assert names(kept, status=5) == list(range(300, 0, -10))
    assert names(kept, status=502) == list(range(300, 0, -10))
    assert names(kept, slow=501) == []
    assert len(names(kept, slow=500)) == 303
    assert len(names(kept, route="/chat", status=2)) == 273
    assert names(kept, route="/other") == []
    with kept.reading() as db:
        assert traces.routes(db) == ["/chat"]


def test_words_find_the_traces_whose_spans_have_all_of_them(kept: Store) -> None:
    assert names(kept, text="zebra") == [303]
    assert names(kept, text="zeb") == [303]
    assert names(kept, text='ZEBRA "script" OR -alert*)(') == [] == names(kept, text="zebra giraffe")
    assert names(kept, text="<script>") == [303]
    assert len(names(kept, text="mongodb")) == 303
    assert names(kept, text="zeb ") == [], "the space ends the word"
    assert names(kept, text="InternalServerError", status=5) == list(range(300, 0, -10))


@pytest.mark.parametrize("text", ["", "   ", '"', "***", "a_b-c.d", "x" * 5000, "NEAR(a b)", "1", "é"])
def test_any_text_can_be_looked_for(kept: Store, text: str) -> None:
    with kept.reading() as db:
        traces.traces(db, traces.WantedTraces(text=text))
        logs.logs(db, logs.WantedLogs(text=text))
        conversations.conversations(db, conversations.WantedConversations(text=text))


def test_words_are_the_same_to_the_question_and_to_the_index(kept: Store) -> None:
    with kept.reading() as db:
        assert match(db, 'shop_li "LIN', LOG_TEXT) == Match('"shop" AND "li" AND ("line")')
        assert match(db, "Zébra", SPAN_TEXT) == Match('("zebra")')
        assert match(db, "no such", SPAN_TEXT) == Match('"no" AND "such"')
        assert match(db, "*-'", SPAN_TEXT) is None


def test_an_unfinished_word_stands_for_the_first_that_begin_so_and_says_when_there_are_more(kept: Store) -> None:
    with kept.reading() as db:
        found = conversations.conversations(db, conversations.WantedConversations(text="talk 1"))
        assert found["cut"], "1, 10, 100 and so on"
        assert len(found["conversations"]) == 50
        assert not conversations.conversations(db, conversations.WantedConversations(text="talk 1 "))["cut"]
        assert logs.logs(db, logs.WantedLogs(text="2"))["cut"]
        assert traces.traces(db, traces.WantedTraces(text="conversation 3"))["cut"] is False, "of spans, not of lines"


def test_traces_are_narrowed_by_an_attribute_of_any_of_their_spans(kept: Store) -> None:
    assert len(names(kept, attribute="db.collection.name", value="messages")) == 303
    assert names(kept, attribute="db.collection.name", value="message") == [], "the whole value"
    assert names(kept, attribute="db.collection", value="messages") == [], "the whole name"
    assert names(kept, attribute="http.response.status_code", value="502", route="/chat") == list(range(300, 0, -10))
    assert len(names(kept, attribute="gen_ai.output.messages")) == 1
    assert names(kept, attribute="gen_ai.output.messages", value="zebra <script>alert(1)</script>") == [303]
    assert names(kept, attribute="gen_ai.conversation.id", value="talk-7", text="mongodb") == []
    assert names(kept, attribute="gen_ai.conversation.id", value="talk-7", text="chat") == [7]
    assert names(kept, attribute='"*') == [], "no words"


def test_conversations_are_narrowed_by_model_errors_time_cost_and_words(kept: Store) -> None:
    def found(**wanted: Any) -> list[str]:
        with kept.reading() as db:
            return [
                one["id"]
                for one in conversations.conversations(db, conversations.WantedConversations(**wanted))["conversations"]
            ]

    assert found()[:3] == ["long", "talk-300", "talk-299"]
    assert found(failed=True)[:2] == ["talk-300", "talk-290"]
    assert found(cost=0.2995) == ["talk-300"]
    assert found(slow=501) == found(model="another") == []
    assert found(model="gpt-4o-mini")[0] == "long"
    assert found(text="zebra") == ["long"]
    assert found(text="mongodb")[:2] == ["long", "talk-300"], "its span of a database names no conversation"
    assert found(text="line 7 ") == ["talk-7"], "nor does its log line"
    assert found(user="hash-of-2") == ["talk-2"] == found(user="hash-of-2", text="mini talk")
    assert found(user="nobody") == []
    assert "talk-17" in found(text="talk-17")


def test_a_conversation_has_its_turns_in_order_and_their_sums(kept: Store) -> None:
    with kept.reading() as db:
        found = conversations.conversation(db, "long")
        assert conversations.conversation(db, "nobody's") is None
    assert found is not None
    assert [int(turn["trace"], 16) for turn in found["timeline"]] == [301, 302, 303]
    assert (found["turns"], found["calls"], found["tokens_in"], found["tokens_out"], found["errors"]) == (3, 3, 90, 36, 0)
    assert found["cost"] == pytest.approx(0.003)
    last = found["timeline"][-1]
    assert [span["system"] for span in last["spans"]] == ["server", "mongodb", "model"]
    assert last["said"][0]["answered"] == "zebra <script>alert(1)</script>"
    assert (last["code"], last["tokens_in"], last["models"]) == (200, 30, ["gpt-4o-mini"])


def test_log_records_are_listed_newest_first_and_narrowed(kept: Store) -> None:
    def found(**wanted: Any) -> list[int]:
        with kept.reading() as db:
            return [one["id"] for one in logs.logs(db, logs.WantedLogs(**wanted))["logs"]]

    assert found() == list(range(300, 100, -1))
    assert found(before=101) == list(range(100, 0, -1))
    assert found(level=17) == found(level=13) == [300, 250, 200, 150, 100, 50]
    assert found(text="line 50") == [50]
    assert found(trace=f"{7:032x}") == [7]
    assert found(trace="no trace") == []
    assert len(found(logger="shop")) == 200
    assert found(logger="sho") == []
    assert found(level=18) == []
    assert found(text="line", trace=f"{7:032x}") == [7]
    assert found(text="another", trace=f"{7:032x}") == []


def test_problems_are_grouped_by_kind_and_place_with_an_example(kept: Store) -> None:
    with kept.reading() as db:
        found = {(one["kind"], one["place"], one["signal"]): one for one in logs.problems(db)["problems"]}
    assert {name: one["count"] for name, one in found.items()} == {
        ("error", "POST /chat", "span"): 30, ("InternalServerError", "chat gpt-4o-mini", "span"): 30, ("error", "shop.views", "log"): 6,
    }  # fmt: skip
    assert int(found["InternalServerError", "chat gpt-4o-mini", "span"]["trace"], 16) == 300
