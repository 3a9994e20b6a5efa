"""OpenAI's assistants: threads, messages, and runs that are queued, then in progress, then completed with their usage.

Starting a run is the call of the model. Its tokens are told by the poll that finds it completed, or by a streamed run's end.
https://platform.openai.com/docs/api-reference/runs
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

from .answer import BROKEN_SSE, SSE, Answer, Frame, sse
from .ask import TEXT, WORDS, Ask, Tokens
from .openai_chat import CREATED, error

__all__ = ["answer", "error"]
STATES = ("queued", "in_progress", "completed")
MODEL = "gpt-4o-mini"


class Runs:
    """Runs that were started: how often each was looked at, what it tells, and the call that started it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._known: dict[str, tuple[Ask, int]] = {}

    def start(self, ask: Ask) -> str:
        with self._lock:
            name = f"run_wires{next(self._numbers)}"
            self._known[name] = (ask, 0)
            return name

    def look(self, name: str) -> tuple[Ask, str]:
        """The request that started a run, and the run's state at this look."""
        with self._lock:
            ask, looks = self._known[name]
            self._known[name] = (ask, looks + 1)
            return ask, STATES[min(looks + 1, 2)]


RUNS = Runs()


def answer(ask: Ask) -> Answer | None:
    if "/threads" not in ask.path:
        return None
    steps = ask.path.split("/threads", 1)[1].strip("/").split("/")
    thread = "thread_wires" if steps in ([""], ["runs"]) else steps[0]
    if ask.method == "POST" and (steps == ["runs"] or steps[1:] == ["runs"]):
        return begin(ask, thread)
    if steps[1:2] == ["runs"] and len(steps) == 3:
        started, state = RUNS.look(steps[2])
        told = tokens(started) if state == "completed" else Tokens()
        body = run(started, steps[2], thread, state)
        credit = started.call if state == "completed" else ""
        return Answer("openai", "runs.retrieve", MODEL, body, counts=False, told=told, credit=credit)
    if steps[1:] == ["messages"]:
        body = message("user", "q", thread) if ask.method == "POST" else listed(message("assistant", TEXT, thread))
        return Answer("openai", "messages", "", body, counts=False)
    body = {"id": thread, "object": "thread", "created_at": CREATED, "metadata": {}, "tool_resources": {}}
    return Answer("openai", "threads", "", body, counts=False)


def tokens(ask: Ask) -> Tokens:
    return ask.tokens.only("input", "output", "cached")


def begin(ask: Ask, thread: str) -> Answer:
    if ask.body.get("stream"):
        frames = list(stream(ask, thread))
        return Answer(
            "openai", "runs", MODEL, frames=frames, content_type=SSE, broken=b"event: thread.message.delta\n" + BROKEN_SSE
        )
    return Answer("openai", "runs", MODEL, run(ask, RUNS.start(ask), thread, "queued"))


def run(ask: Ask, name: str, thread: str, state: str) -> dict[str, Any]:
    told = tokens(ask)
    usage = {
        "prompt_tokens": told.input,
        "completion_tokens": told.output,
        "total_tokens": told.input + told.output,
        "prompt_token_details": {"cached_tokens": told.cached},
    }
    done = state == "completed"
    return {
        "id": name, "object": "thread.run", "created_at": CREATED, "thread_id": thread, "status": state, "model": MODEL,
        "assistant_id": ask.body.get("assistant_id") or "asst_wires", "started_at": None, "expires_at": None,
        "cancelled_at": None, "failed_at": None, "completed_at": CREATED if done else None, "required_action": None,
        "last_error": None, "instructions": ask.body.get("instructions") or "", "tools": [], "metadata": {},
        "incomplete_details": None, "usage": usage if done else None, "temperature": 1.0, "top_p": 1.0,
        "max_prompt_tokens": None, "max_completion_tokens": None, "response_format": "auto", "tool_choice": "auto",
        "truncation_strategy": {"type": "auto", "last_messages": None}, "parallel_tool_calls": True,
    }  # fmt: skip


def message(role: str, text: str, thread: str) -> dict[str, Any]:
    content = [{"type": "text", "text": {"value": text, "annotations": []}}] if text else []
    return {
        "id": f"msg_{role}", "object": "thread.message", "created_at": CREATED, "thread_id": thread, "role": role,
        "content": content, "metadata": {}, "assistant_id": None, "run_id": None, "attachments": [], "status": "completed",
    }  # fmt: skip


def listed(item: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": [item], "first_id": item["id"], "last_id": item["id"], "has_more": False}


def stream(ask: Ask, thread: str) -> Iterator[Frame]:
    for state in STATES[:2]:
        yield sse(run(ask, "run_streamed", thread, state), f"thread.run.{'created' if state == 'queued' else state}")
    yield sse(message("assistant", "", thread), "thread.message.created")
    for word in WORDS:
        delta = {"content": [{"index": 0, "type": "text", "text": {"value": word}}]}
        body = {"id": "msg_assistant", "object": "thread.message.delta", "delta": delta}
        yield sse(body, "thread.message.delta", content=True)
    yield sse(message("assistant", TEXT, thread), "thread.message.completed")
    yield sse(run(ask, "run_streamed", thread, "completed"), "thread.run.completed", told=tokens(ask))
    yield sse("[DONE]", "done")
