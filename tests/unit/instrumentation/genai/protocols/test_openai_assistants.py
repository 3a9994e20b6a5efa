"""OpenAI's assistants: a run's status says whether it is over, and how."""

from __future__ import annotations

from typing import Any

import pytest
from support.protocols import row, said, streamed, takes_any, tokens, tools, whole

from otel_chatbot.instrumentation.genai.protocols.openai_assistants import POLL, ROWS
from otel_chatbot.semconv.attributes import GenAiOperation

RUNS = row(ROWS, "openai_assistants")
ANSWER: dict[str, Any] = {
    "id": "run_1", "object": "thread.run", "status": "completed", "model": "gpt-4o", "last_error": None,
    "usage": {"prompt_tokens": 123, "completion_tokens": 45},
}  # fmt: skip
WANTS_TOOL: dict[str, Any] = {
    "id": "run_1", "status": "requires_action",
    "required_action": {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {"tool_calls": [{"id": "call_1", "function": {"name": "find", "arguments": "{}"}}]},
    },
}  # fmt: skip


def test_a_request_starts_a_run_and_says_what_is_asked() -> None:
    body = {
        "assistant_id": "asst_1", "instructions": "Be kind", "temperature": 0.5,
        "thread": {"messages": [{"role": "user", "content": "Hello"}]},
    }  # fmt: skip
    asked = RUNS.request(body, "/v1/threads/runs")
    assert (asked.model, asked.operation) == ("", GenAiOperation.CHAT)
    assert asked.said == ["Be kind", None, [{"role": "user", "content": "Hello"}]]


@pytest.mark.parametrize("path", ["/v1/threads/runs", "/v1/threads/thread_1/runs", "/openai/threads/thread_1/runs"])
def test_a_run_is_started_on_a_new_thread_or_on_one_that_is_there(path: str) -> None:
    assert RUNS.path.search(path)
    assert not RUNS.path.search(f"{path}/run_1")


@pytest.mark.parametrize(
    ("path", "asks"),
    [
        ("/v1/threads/thread_1/runs/run_1", True),
        ("/v1/threads/thread_1/runs/17", True),
        ("/v1/threads/thread_1/runs", False),
        ("/v1/threads/thread_1/runs/run_1/steps", False),
        ("/v1/threads/thread_1", False),
    ],
)
def test_a_poll_is_known_by_its_path(path: str, asks: bool) -> None:
    assert bool(POLL.search(path)) is asks


@pytest.mark.parametrize(
    ("status", "done", "finish", "failure"),
    [
        ("queued", False, None, None),
        ("in_progress", False, None, None),
        ("completed", True, "stop", None),
        ("requires_action", True, "tool_calls", None),
        ("incomplete", True, "incomplete", None),
        ("cancelled", True, "cancelled", None),
        ("failed", True, "failed", "rate_limit_exceeded"),
        ("expired", True, "expired", "rate_limit_exceeded"),
    ],
)
def test_the_status_says_whether_a_run_is_over_and_how(
    status: str, done: bool, finish: str | None, failure: str | None
) -> None:
    answer = whole(RUNS, {**ANSWER, "status": status, "last_error": {"code": "rate_limit_exceeded"}})
    assert (answer.done, answer.finish.get(0), answer.failure) == (done, finish, failure)
    assert (answer.id, answer.model, tokens(answer)) == ("run_1", "gpt-4o", (123, 45, 0, 0))


def test_a_failed_run_without_a_code_fails_by_its_status() -> None:
    assert whole(RUNS, {"id": "run_1", "status": "expired", "last_error": None}).failure == "expired"


def test_a_run_that_waits_for_tools_names_them() -> None:
    assert tools(whole(RUNS, WANTS_TOOL)) == [("find", "call_1", "{}")]


def test_a_stream_tells_the_text_the_run_and_nothing_of_its_steps() -> None:
    answer = streamed(
        RUNS,
        ("thread.run.created", {"id": "run_1", "status": "queued"}),
        ("thread.run.step.completed", {"id": "step_1", "status": "completed", "usage": {"prompt_tokens": 1}}),
        ("thread.message.delta", {"delta": {"content": [{"index": 0, "type": "text", "text": {"value": "Hello"}}]}}),
    )
    assert (answer.id, answer.done, said(answer), tokens(answer)) == ("run_1", False, "Hello", None)
    RUNS.chunk("thread.run.completed", ANSWER, answer)
    assert (answer.done, tokens(answer)) == (True, (123, 45, 0, 0))


def test_an_error_event_is_a_failure_by_its_code() -> None:
    assert streamed(RUNS, ("error", {"code": "server_error"})).failure == "server_error"
    assert streamed(RUNS, ("error", {"error": {"code": "server_error"}})).failure == "server_error"


def test_any_part_of_an_answer_may_be_of_another_kind() -> None:
    assert takes_any(RUNS, ANSWER, once=True) > 40
    assert takes_any(RUNS, ("thread.run.requires_action", WANTS_TOOL)) > 40
