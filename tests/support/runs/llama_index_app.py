"""A chatbot of llama-index: an agent with a tool, a tool alone, a query engine, a chat engine; called and awaited.

Run from tests/ with the Python of the environment `clients-older`: `python -m support.runs.llama_index_app`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import FunctionTool, QueryEngineTool
from llama_index.llms.openai import OpenAI

from support.clients.scenario import Prompt
from support.wires.server import WiresServer

from . import kept


def weather(city: str) -> str:
    """The weather in a city."""
    return f"canary-result: rain in {city}"


def broken(city: str) -> str:
    """Fails."""
    raise LookupError(f"canary-error: no {city}")


class Notes(BaseRetriever):
    """Always finds the same."""

    def _retrieve(self, _query: Any) -> list[NodeWithScore]:
        return [NodeWithScore(node=TextNode(text="It rains."), score=1.0)]


def main() -> None:
    kept.begin()
    prompt = Prompt(WiresServer().start().url, "", "plain", "runs")
    model = OpenAI(model="gpt-4o-mini", api_base=prompt.url + "/v1", api_key="k", timeout=60, max_retries=0)
    agent = FunctionAgent(name="helper", tools=[FunctionTool.from_defaults(weather)], llm=model, streaming=False)
    several = AgentWorkflow(agents=[agent], root_agent="helper")
    query = RetrieverQueryEngine.from_args(Notes(), llm=model)
    tool, failing = FunctionTool.from_defaults(weather), FunctionTool.from_defaults(broken)

    async def awaited() -> None:
        with kept.case("agent"):
            await agent.run(prompt.text)
        with kept.case("agent, streamed"):
            handler = agent.run(prompt.text)
            async for _ in handler.stream_events():
                pass
            await handler
        with kept.case("agents"):
            await several.run(prompt.text)
        with kept.case("tool, awaited"):
            await tool.acall(city="canary-argument")
        with kept.case("chat, streamed and awaited"):
            answer = await SimpleChatEngine.from_defaults(llm=model).astream_chat(prompt.text)
            async for _ in answer.async_response_gen():
                pass
        with kept.case("query, awaited"):
            await query.aquery(prompt.text)

    with kept.case("tool"):
        tool.call(city="canary-argument")
    with kept.content(), kept.case("tool, with content"):
        tool.call(city="canary-argument")
    with kept.case("tool that fails"), contextlib.suppress(LookupError):
        failing.call(city="canary-argument")
    with kept.case("query"):
        query.query(prompt.text)
    with kept.case("query by a tool"):
        QueryEngineTool.from_defaults(query, name="notes").call(prompt.text)
    with kept.case("chat"):
        SimpleChatEngine.from_defaults(llm=model).chat(prompt.text)
    with kept.case("chat, streamed"):
        list(SimpleChatEngine.from_defaults(llm=model).stream_chat(prompt.text).response_gen)  # ends with the thread
    asyncio.run(awaited())
    kept.tell()


if __name__ == "__main__":
    main()
