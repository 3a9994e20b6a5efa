"""Runs of langchain's tools and sequences, and of langgraph's graphs, of which langchain's agents are made.

Fed by the methods of the table below, when their module is imported; feeds `genai.agents.run`. No callback is added, so an
application's own callbacks, and what they see, are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from ....semconv.attributes import GenAiRun
from ...common.patching import Patches
from . import run
from .rows import Row, others_follow, wrap
from .run import Told

_OTHERS: Final = (
    "opentelemetry.instrumentation.langchain",
    "opentelemetry.instrumentation.genai.langchain",
    "openinference.instrumentation.langchain",
)
"""Other tools' instrumentations of langchain: where one is loaded, its spans are the one set of spans of these runs."""
_NO_NAME: Final = "LangGraph"
"""What a graph is called that nobody has named (langgraph/pregel/main.py)."""


def _tool(tool: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Told | None:
    if others_follow(_OTHERS):
        return None
    given = args[0] if args else kwargs.get("tool_input")
    return Told(GenAiRun.TOOL, str(tool.name), kwargs.get("tool_call_id"), lambda: _asked(tool, given))


def _asked(tool: Any, given: Any) -> Any:
    """What the model has asked for, without what langgraph puts in: the state of the graph, say."""
    if not isinstance(given, Mapping):
        return given
    fields = getattr(tool.tool_call_schema, "model_fields", given)
    return {name: value for name, value in given.items() if name in fields}


def _graph(graph: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any]) -> Told | None:
    if others_follow(_OTHERS):
        return None
    name = str(getattr(graph, "name", "") or "")
    return Told(GenAiRun.AGENT, "" if name == _NO_NAME else name)


def _sequence(sequence: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any]) -> Told | None:
    if others_follow(_OTHERS):
        return None
    return Told(GenAiRun.WORKFLOW, str(getattr(sequence, "name", None) or type(sequence).__name__))


_TOOLS, _RUNNABLES = "langchain_core.tools.base", "langchain_core.runnables.base"
ROWS: Final = (
    Row(_TOOLS, "BaseTool", "run", run.whole(_tool)),
    Row(_TOOLS, "BaseTool", "arun", run.whole_async(_tool)),
    *(Row(_RUNNABLES, "RunnableSequence", name, run.whole(_sequence)) for name in ("invoke", "batch")),
    *(Row(_RUNNABLES, "RunnableSequence", name, run.whole_async(_sequence)) for name in ("ainvoke", "abatch")),
    Row(_RUNNABLES, "RunnableSequence", "stream", run.stream(_sequence)),
    Row(_RUNNABLES, "RunnableSequence", "astream", run.stream_async(_sequence)),
    # `invoke` and `ainvoke` read these two to their end.
    *(Row(name, "Pregel", "stream", run.stream(_graph)) for name in ("langgraph.pregel", "langgraph.pregel.main")),
    *(Row(name, "Pregel", "astream", run.stream_async(_graph)) for name in ("langgraph.pregel", "langgraph.pregel.main")),
)


def follow(module: ModuleType, patches: Patches, _ignored: bool) -> None:
    """Follow the runs of this module's classes."""
    wrap(ROWS, module, patches)
