"""A chatbot of langchain: an agent with a tool, a chain, a tool alone; each called, streamed and awaited.

Run from tests/ with the Python of the environment `clients`: `python -m support.runs.langchain_app`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from support.clients.scenario import Prompt
from support.wires.server import WiresServer

from . import kept


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"canary-result: rain in {city}"


@tool
def broken(city: str) -> str:
    """Fails."""
    raise LookupError(f"canary-error: no {city}")


class Seen(BaseCallbackHandler):
    """The application's own callbacks."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_tool_start(self, *_args: Any, **_kwargs: Any) -> None:
        self.events.append("tool start")

    def on_tool_end(self, *_args: Any, **_kwargs: Any) -> None:
        self.events.append("tool end")


def main() -> None:
    kept.begin()
    prompt = Prompt(WiresServer().start().url, "", "plain", "runs")
    model = ChatOpenAI(model="gpt-4o-mini", base_url=prompt.url + "/v1", api_key="k", timeout=60)
    agent = create_agent(model, tools=[weather], name="helper")
    asked: Any = {"messages": prompt.messages}
    chain = ChatPromptTemplate.from_messages([("user", "{question}")]) | model | StrOutputParser()
    question = {"question": prompt.text}
    seen = Seen()

    async def awaited() -> None:
        with kept.case("agent, awaited"):
            await agent.ainvoke(asked)
        with kept.case("agent, streamed and awaited"):
            async for _ in agent.astream(asked):
                pass
        with kept.case("tool, awaited"):
            await weather.ainvoke({"city": "canary-argument"})
        with kept.case("chain, awaited"):
            await chain.ainvoke(question)
        with kept.case("chain, streamed and awaited"):
            async for _ in chain.astream(question):
                pass

    with kept.case("agent"):
        agent.invoke(asked, {"callbacks": [seen]})
    with kept.case("agent, streamed"):
        for _ in agent.stream(asked):
            pass
    with kept.case("agent, left"):
        steps = agent.stream(asked)
        next(steps)
        steps.close()
    with kept.case("tool"):
        weather.invoke({"name": "weather", "args": {"city": "canary-argument"}, "id": "call-1", "type": "tool_call"})
    with kept.content(), kept.case("tool, with content"):
        weather.invoke({"city": "canary-argument"})
    with kept.case("tool that fails"), contextlib.suppress(LookupError):
        broken.invoke({"city": "canary-argument"})
    with kept.case("chain"):
        chain.invoke(question)
    with kept.case("chain, streamed"):
        list(chain.stream(question))
    with kept.case("chain, two at once"):
        chain.batch([question, question])
    asyncio.run(awaited())
    kept.FOUND["callbacks"] = seen.events
    kept.tell()


if __name__ == "__main__":
    main()
