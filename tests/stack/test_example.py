"""The example chatbot on real servers, first as its team wrote it, then observed: what a person gets, and what a chat leaves."""

from __future__ import annotations

import ast
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.process import wait_for
from support.servers import MongoServer
from support.stack import CHATBOT, Span, Stack

UNKNOWN = "0123456789abcdef01234567"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer) -> Iterator[Stack]:
    """The example without any telemetry, for tests that leave it as it was."""
    with Stack(tmp_path_factory.mktemp("bare"), mongo=mongo_server, instrumented=False) as stack:
        yield stack


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer) -> Iterator[Stack]:
    """The example under `opentelemetry-instrument`."""
    with Stack(tmp_path_factory.mktemp("observed"), mongo=mongo_server) as stack:
        yield stack


# as its team wrote it


def test_the_example_imports_no_telemetry() -> None:
    imported = set()
    for path in CHATBOT.parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    beside = {path.stem for path in CHATBOT.parent.glob("*.py")}
    libraries = imported - beside - set(sys.stdlib_module_names)
    assert libraries == {"anthropic", "bson", "cachelib", "flask", "google", "httpx", "openai", "pymongo", "redis", "werkzeug"}


def test_a_chat_is_answered_by_the_model_and_kept(bare: Stack) -> None:
    reply = bare.chat("how are you, kept one?", user_id="keeper")
    assert (reply.status, reply.json["response"]) == (200, bare.answer("how are you, kept one?"))

    conversation_id = reply.json["conversation_id"]
    kept = bare.get(f"/conversations/{conversation_id}").json
    assert [(message["role"], message["content"]) for message in kept["messages"]] == [
        ("user", "how are you, kept one?"),
        ("assistant", reply.json["response"]),
    ]
    listed = bare.get("/conversations?user_id=keeper").json["conversations"]
    assert [one["conversation_id"] for one in listed] == [conversation_id]
    assert listed[0]["title"] == "how are you, kept one?"


def test_the_model_sees_what_was_said_before_in_the_same_conversation(bare: Stack) -> None:
    first = bare.chat("a first message of this conversation").json
    before = len(bare.model.calls())
    bare.chat("and the second message", conversation_id=first["conversation_id"])
    bare.chat("and the second message")
    in_conversation, alone = bare.model.calls(before + 2)[before:]
    assert in_conversation.prompt_tokens > alone.prompt_tokens + alone.prompt_tokens // 2


def test_the_same_question_is_answered_from_redis_without_asking_the_model(bare: Stack) -> None:
    first = bare.chat("is this one kept in Redis?").json
    asked = len(bare.model.calls())
    again = bare.chat("is this one kept in Redis?").json
    streamed = bare.stream("is this one kept in Redis?")
    assert (first["cached"], again["cached"], streamed[-1].data["cached"]) == (False, True, True)
    assert first["response"] == again["response"] == streamed[-1].data["response"]
    assert len(bare.model.calls()) == asked


def test_a_streamed_answer_arrives_piece_by_piece(bare: Stack) -> None:
    events = bare.stream("/chunks 10 /slow 3", user_id="streamer")
    pieces = [event for event in events if event.name == "delta"]
    assert [event.name for event in events] == ["start", *["delta"] * 10, "done"]
    assert "".join(event.data["text"] for event in pieces) == events[-1].data["response"] == bare.answer("/chunks 10 /slow 3")
    assert pieces[-1].seconds - pieces[0].seconds > 1, "the pieces came all at once"

    kept = bare.get(f"/conversations/{events[0].data['conversation_id']}").json["messages"]
    assert kept[1]["content"] == events[-1].data["response"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"hello", "The body is not valid JSON"),
        (b"\xff\xfe", "The body is not valid JSON"),
        (b"[" * 100_000, "The JSON is nested too deeply"),
        (b'["hello"]', "The body must be a JSON object"),
        (b"{}", "message is missing"),
        (b'{"message": null}', "message is missing"),
        (b'{"message": 7}', "message must be a string"),
        (b'{"message": " \\n"}', "message is empty"),
        (b'{"message": "\\ud800"}', "message is not valid Unicode text"),
        (json.dumps({"message": "x" * 8001}).encode(), "message is longer than 8000 characters"),
        (b'{"message": "hi", "user_id": {"$ne": 1}}', "user_id must be a string"),
        (b'{"message": "hi", "model": "gpt 4"}', "model must be the name of a model"),
        (b'{"message": "hi", "conversation_id": "7"}', "conversation_id must be 24 hexadecimal digits"),
    ],
)
@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
def test_wrong_input_gets_a_400_with_a_reason(bare: Stack, path: str, body: bytes, reason: str) -> None:
    reply = bare.request("POST", path, body, {"Content-Type": "application/json"})
    assert (reply.status, reply.json) == (400, {"error": reason})


def test_a_body_that_is_no_json_by_its_type_gets_a_400_and_a_huge_one_a_413(bare: Stack) -> None:
    form = bare.request("POST", "/chat", b"message=hi", {"Content-Type": "application/x-www-form-urlencoded"})
    huge = bare.chat("x" * 300_000)
    assert (form.status, form.json) == (400, {"error": "The body must be JSON, sent as application/json"})
    assert huge.status == 413
    assert "error" in huge.json


def test_unknown_conversations_and_paths_get_a_404_with_a_reason(bare: Stack) -> None:
    unknown = {"error": "There is no such conversation"}
    replies = [
        bare.chat("hi", conversation_id=UNKNOWN),
        bare.get(f"/conversations/{UNKNOWN}"),
        bare.delete(f"/conversations/{UNKNOWN}"),
    ]
    assert [(reply.status, reply.json) for reply in replies] == [(404, unknown)] * 3
    assert bare.get("/conversations/seven").status == 400
    assert (bare.get("/nowhere").status, "error" in bare.get("/nowhere").json) == (404, True)


def test_a_deleted_conversation_is_gone_with_its_messages(bare: Stack) -> None:
    conversation_id = bare.chat("delete me", user_id="deleter").json["conversation_id"]
    assert bare.delete(f"/conversations/{conversation_id}").status == 204
    assert bare.get(f"/conversations/{conversation_id}").status == 404
    assert bare.get("/conversations?user_id=deleter").json == {"conversations": []}


def test_an_imported_conversation_reads_as_it_was_sent(bare: Stack) -> None:
    messages = [{"role": role, "content": f"{role} {number}"} for number in range(3) for role in ("user", "assistant")]
    imported = bare.post("/conversations", {"user_id": "importer", "messages": messages})
    assert imported.status == 201
    kept = bare.get(f"/conversations/{imported.json['conversation_id']}").json["messages"]
    assert [{"role": one["role"], "content": one["content"]} for one in kept] == messages
    assert bare.post("/conversations", {"messages": [{"role": "system", "content": "obey"}]}).status == 400


@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
def test_a_model_that_refuses_gives_a_502_and_the_question_is_kept(bare: Stack, path: str) -> None:
    before = len(bare.model.calls())
    reply = bare.post(path, {"message": "/fail 429"})
    assert reply.status == 502
    assert reply.json["error"].startswith("The model did not answer")
    assert [call.status for call in bare.model.calls(before + 1)[before:]] == [429]
    kept = bare.get(f"/conversations/{reply.json['conversation_id']}").json["messages"]
    assert [(one["role"], one["content"]) for one in kept] == [("user", "/fail 429")]


def test_an_answer_that_the_model_breaks_off_ends_with_an_error_and_is_kept_as_interrupted(bare: Stack) -> None:
    events = bare.stream("/cut /chunks 8")
    assert [event.name for event in events] == ["start", *["delta"] * 4, "error"]
    assert events[-1].data == {"error": "The model broke off in the middle of its answer."}
    kept = bare.get(f"/conversations/{events[0].data['conversation_id']}").json["messages"]
    assert kept[1]["content"] == "".join(event.data["text"] for event in events if event.name == "delta")
    assert kept[1]["interrupted"] is True


def test_an_abandoned_answer_ends_the_call_of_the_model_and_keeps_what_had_arrived(bare: Stack) -> None:
    before = len(bare.model.calls())
    arrived = bare.abandon("/chunks 100 /slow 10", after=3)
    [call] = bare.model.calls(before + 1)[before:]
    assert call.aborted
    assert 3 <= call.chunks < 50
    path = f"/conversations/{arrived[0].data['conversation_id']}"
    wait_for(lambda: len(bare.get(path).json["messages"]) == 2, "what had arrived is kept")
    kept = bare.get(path).json["messages"][1]
    assert kept["interrupted"] is True
    assert kept["content"].startswith("".join(event.data["text"] for event in arrived if event.name == "delta"))


def test_a_database_error_gives_a_503_and_the_next_chat_works(bare: Stack) -> None:
    bare.chat("indexes are there by now")
    bare.mongo.fail("insert")
    reply = bare.chat("will this be kept?")
    assert reply.status == 503
    assert reply.json["error"].startswith("The database is not available")
    assert bare.chat("will this be kept?").status == 200


def test_without_redis_answers_are_cached_in_memory(tmp_path: Path, mongo_server: MongoServer) -> None:
    with Stack(tmp_path, mongo=mongo_server, instrumented=False, redis=False) as stack:
        assert [stack.chat("once").json["cached"] for _ in range(2)] == [False, True]
        stack.model.calls(1)


def test_when_redis_dies_chats_go_on_and_when_mongodb_dies_they_get_a_503_in_seconds(tmp_path: Path) -> None:
    with Stack(tmp_path, instrumented=False) as stack:
        assert stack.chat("before").status == 200
        assert stack.redis is not None
        stack.redis.end()
        assert (stack.chat("after").status, stack.stream("after")[-1].name) == (200, "done")
        stack.mongo.end()
        reply = stack.chat("at last")
        assert reply.status == 503
        assert reply.seconds < 25, "the driver's own patience is 30 s"


def test_gunicorn_serves_the_same_app_from_several_workers(tmp_path: Path, mongo_server: MongoServer) -> None:
    with Stack(
        tmp_path, mongo=mongo_server, instrumented=False, server="gunicorn", workers=2, arguments=["--preload"]
    ) as stack:
        assert len(stack.worker_pids()) == 2
        conversation_id = stack.chat("hello").json["conversation_id"]
        for number in range(6):
            assert stack.chat(f"hello {number}", conversation_id=conversation_id).status == 200
        assert len(stack.get(f"/conversations/{conversation_id}").json["messages"]) == 14
        assert stack.stream("/chunks 5 /slow 0.2")[-1].name == "done"


# observed


def trace_of(stack: Stack, question: str, path: str) -> list[Span]:
    """Ask, and return the spans of the one trace that the request left; AssertionError when there are several."""
    asked = time.time()
    if path == "/chat":
        assert stack.chat(question).status == 200
    else:
        assert stack.stream(question)[-1].name == "done"

    def new() -> list[Span]:
        return [span for span in stack.spans() if span.start >= asked]

    wait_for(lambda: any(span.kind == "SERVER" for span in new()), "the request's span in the trace file")
    found = new()
    assert len({span.trace_id for span in found}) == 1, found
    return found


@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
def test_a_chat_leaves_one_trace_of_flask_mongodb_redis_and_the_model(observed: Stack, path: str) -> None:
    observed.chat("indexes are there by now")
    spans = trace_of(observed, f"one trace of {path}, please /slow 0.3", path)

    [server] = [span for span in spans if span.kind == "SERVER"]
    assert (server.name, server.parent_id) == (f"POST {path}", "")
    below = [span for span in spans if span is not server]
    assert {span.parent_id for span in below} == {server.span_id}
    assert all(span.kind == "CLIENT" for span in below)

    mongo = [span for span in below if span.attributes.get("db.system.name", span.attributes.get("db.system")) == "mongodb"]
    redis = [span for span in below if span.attributes.get("db.system.name", span.attributes.get("db.system")) == "redis"]
    [model] = [span for span in below if "gen_ai.request.model" in span.attributes]
    assert len(mongo) == 3, "the conversation, the question, the answer"
    assert {span.name.split()[0] for span in redis} == {"GET", "SET"}
    assert model.name == "chat gpt-4o-mini"
    assert model.seconds >= 0.3, "the span ended before the answer did"
    assert server.seconds >= model.seconds
    assert len(below) == len(mongo) + len(redis) + 1


def test_each_request_of_the_example_leaves_an_access_record_in_its_trace(observed: Stack) -> None:
    [server] = [span for span in trace_of(observed, "a record of this, please", "/chat/stream") if span.kind == "SERVER"]

    def access() -> list[dict[str, object]]:
        records = observed.log_records()
        return [one for one in records if one["logger"] == "chatbot.access" and one.get("trace_id") == server.trace_id]

    wait_for(access, "the access record")
    [record] = access()
    assert record["span_id"] == server.span_id
    own = [one for one in observed.log_records() if one["message"] == "Answered" and one.get("trace_id") == server.trace_id]
    assert len(own) == 1
