"""OpenAI's assistants: a run is one call, from its request to the poll (or the event) that shows its end.

https://platform.openai.com/docs/api-reference/runs
"""

from __future__ import annotations

import re
from typing import Any, Final

from ....semconv.attributes import GenAiOperation, GenAiProvider
from .answer import Answer, dict_of, dicts_of, name_of
from .openai_chat import request as chat_request
from .openai_chat import usage
from .protocol import Body, ModelRequest, Protocol

POLL: Final = re.compile(r"/threads/[^/]+/runs/(run_[^/]+)$|/threads/[^/]+/runs/([^/]+)$")
"""The path of a request that asks how a run is."""
_ENDS: Final = frozenset({"completed", "failed", "cancelled", "expired", "incomplete", "requires_action"})


def request(body: Body, path: str) -> ModelRequest:
    """A request that starts a run; the model may be known only by the assistant."""
    asked = chat_request(body, path)
    asked.operation = GenAiOperation.CHAT
    asked.said = [body.get("instructions"), body.get("additional_messages"), dict_of(body.get("thread")).get("messages")]
    return asked


def run(found: dict[str, Any], answer: Answer) -> None:
    """A run, as far as it is."""
    answer.by(found.get("model"), found.get("id"))
    usage(found.get("usage"), answer)
    status = name_of(found.get("status"))
    if status in _ENDS:
        answer.done = True
        answer.finished("stop" if status == "completed" else "tool_calls" if status == "requires_action" else status)
        if status in ("failed", "expired"):
            answer.failed(dict_of(found.get("last_error")).get("code") or status)
    wanted = dict_of(dict_of(found.get("required_action")).get("submit_tool_outputs"))
    for number, tool in enumerate(dicts_of(wanted.get("tool_calls"))):
        called = dict_of(tool.get("function"))
        answer.tool(number, called.get("name"), tool.get("id"), called.get("arguments"))


def chunk(name: str, found: dict[str, Any], answer: Answer) -> None:
    """An event of a stream."""
    if name == "thread.message.delta":
        for part in dicts_of(dict_of(found.get("delta")).get("content")):
            answer.text(dict_of(part.get("text")).get("value"))
    elif name == "error":
        answer.failed(found.get("code") or dict_of(found.get("error")).get("code"))
    elif name == "thread.run" or (name.startswith("thread.run.") and not name.startswith("thread.run.step")):
        run(found, answer)


RUNS: Final = Protocol(
    "openai_assistants", GenAiProvider.OPENAI, ("runs",), re.compile(r"/threads(?:/[^/]+)?/runs$"), ("assistant_id",),
    request, run, chunk,
)  # fmt: skip
ROWS: Final = (RUNS,)
