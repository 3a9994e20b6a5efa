"""Runs of llama-index's tools, agents, query engines and chat engines.

Fed by the methods of the table below, when their module is imported; feeds `genai.agents.run`. The library's dispatcher and its
callbacks are left alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

from ...._guard import never_raise
from ....semconv.attributes import GenAiRun
from ...common.patching import Method, Patches
from . import late_answers, run
from .rows import Row, others_follow, wrap
from .run import Describe, Run, Told

_OTHERS: Final = (
    "opentelemetry.instrumentation.llamaindex",
    "opentelemetry.instrumentation.genai.llama_index",
    "openinference.instrumentation.llama_index",
)
"""Other tools' instrumentations of llama-index: where one is loaded, its spans are the one set of spans of these runs."""


def _tool(tool: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Told | None:
    if others_follow(_OTHERS):
        return None
    return Told(GenAiRun.TOOL, str(tool.metadata.get_name()), None, lambda: _asked(tool, args, kwargs))


def _asked(tool: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What the model has asked for, without the workflow's context."""
    context = getattr(tool, "ctx_param_name", None)
    named = {name: value for name, value in kwargs.items() if name != context}
    return named or list(args)


def _agent(agent: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any]) -> Told | None:
    if others_follow(_OTHERS):
        return None
    return Told(GenAiRun.AGENT, str(getattr(agent, "name", None) or getattr(agent, "root_agent", None) or ""))


def _engine(engine: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any]) -> Told | None:
    return None if others_follow(_OTHERS) else Told(GenAiRun.WORKFLOW, type(engine).__name__)


def handled(describe: Describe) -> Callable[[Method], Method]:
    """Make a method that begins a run in tasks of its own and returns what one waits for it with."""

    def make(original: Method) -> Method:
        def begin(self: Any, *args: Any, **kwargs: Any) -> Any:
            one = run.begin(describe, self, args, kwargs)
            if one is None:
                return original(self, *args, **kwargs)
            try:
                with one:  # its tasks take the context with them
                    handler = original(self, *args, **kwargs)
            except BaseException as error:
                one.end(error)
                raise
            _await(one, handler)
            return handler

        return begin

    return make


@never_raise
def _await(one: Run, handler: Any) -> None:
    # A handler says that it is over to who awaits it alone (workflows/handler.py); an older one is a future itself.
    task = getattr(handler, "_result_task", handler)
    task.add_done_callback(functools.partial(_over, one))


@never_raise
def _over(one: Run, task: Any) -> None:
    one.end(None if task.cancelled() else task.exception())


_AGENTS: Final = "llama_index.core.agent.workflow."
_CHATS: Final = {
    "simple": "SimpleChatEngine",
    "context": "ContextChatEngine",
    "condense_question": "CondenseQuestionChatEngine",
    "condense_plus_context": "CondensePlusContextChatEngine",
}
_TOOLS: Final = {"function_tool": "FunctionTool", "query_engine": "QueryEngineTool", "retriever_tool": "RetrieverTool"}
_ANSWERS: Final = "llama_index.core.chat_engine.types"
_QUERIES: Final = "llama_index.core.base.base_query_engine"
ROWS: Final = (
    *(Row(f"llama_index.core.tools.{name}", owner, "call", run.whole(_tool)) for name, owner in _TOOLS.items()),
    *(Row(f"llama_index.core.tools.{name}", owner, "acall", run.whole_async(_tool)) for name, owner in _TOOLS.items()),
    Row(f"{_AGENTS}base_agent", "BaseWorkflowAgent", "run", handled(_agent)),
    Row(f"{_AGENTS}multi_agent_workflow", "AgentWorkflow", "run", handled(_agent)),
    Row(_QUERIES, "BaseQueryEngine", "query", run.whole(_engine)),
    Row(_QUERIES, "BaseQueryEngine", "aquery", run.whole_async(_engine)),
    *(Row(f"llama_index.core.chat_engine.{name}", owner, "chat", run.whole(_engine)) for name, owner in _CHATS.items()),
    *(Row(f"llama_index.core.chat_engine.{name}", owner, "achat", run.whole_async(_engine)) for name, owner in _CHATS.items()),
    *(
        Row(f"llama_index.core.chat_engine.{name}", owner, "stream_chat", late_answers.streamed(_engine))
        for name, owner in _CHATS.items()
    ),
    *(
        Row(f"llama_index.core.chat_engine.{name}", owner, "astream_chat", late_answers.streamed_async(_engine))
        for name, owner in _CHATS.items()
    ),
    Row(_ANSWERS, "StreamingAgentChatResponse", "__init__", late_answers.making),
    Row(_ANSWERS, "StreamingAgentChatResponse", "write_response_to_history", late_answers.reading),
    Row(_ANSWERS, "StreamingAgentChatResponse", "awrite_response_to_history", late_answers.reading_async),
)


def follow(module: ModuleType, patches: Patches, _ignored: bool) -> None:
    """Follow the runs of this module's classes."""
    wrap(ROWS, module, patches)
