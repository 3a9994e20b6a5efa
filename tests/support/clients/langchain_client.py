"""Langchain's chat models over five clients: invoke, stream, ainvoke, astream, batch, a chain, tools. They add nothing to the count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .scenario import OLDER, PLAIN, STREAM, TODAY, WIDE_STREAM, Got, Prompt, drives

Maker = Callable[[Prompt], Any]


def openai(prompt: Prompt) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model="gpt-4o-mini", base_url=prompt.url + "/v1", api_key="k", timeout=prompt.timeout, max_retries=prompt.retries
    )  # type: ignore


def anthropic(prompt: Prompt) -> Any:
    from langchain_anthropic import ChatAnthropic

    given = {"base_url": prompt.url, "api_key": "k", "timeout": prompt.timeout, "max_retries": prompt.retries}
    return ChatAnthropic(model="claude-3-5-haiku-20241022", **given)  # type: ignore


def google(prompt: Prompt) -> Any:
    from langchain_google_genai import ChatGoogleGenerativeAI

    given = {"base_url": prompt.url, "api_key": "k", "timeout": prompt.timeout, "max_retries": 1 + prompt.retries}
    return ChatGoogleGenerativeAI(model="gemini-2.5-flash", **given)


def groq(prompt: Prompt) -> Any:
    from langchain_groq import ChatGroq

    given = {"base_url": prompt.url + "/groq", "api_key": "k", "timeout": prompt.timeout, "max_retries": prompt.retries}
    return ChatGroq(model="llama-3.1-8b-instant", **given)  # type: ignore


def ollama(prompt: Prompt) -> Any:
    from langchain_ollama import ChatOllama

    return ChatOllama(model="llama3.2", base_url=prompt.url, client_kwargs={"timeout": prompt.timeout})


def mistral(prompt: Prompt) -> Any:
    from langchain_mistralai import ChatMistralAI

    given = {"base_url": prompt.url + "/mistral/v1", "api_key": "k", "max_retries": 1 + prompt.retries}
    return ChatMistralAI(model="mistral-small-latest", timeout=max(1, int(prompt.timeout)), **given)  # type: ignore


def whole(message: Any) -> Got:
    usage = message.usage_metadata or {}
    return Got(text(message), usage.get("input_tokens"), usage.get("output_tokens"), message)


def text(message: Any) -> str:
    content = message.content
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def pieces(chunks: list[Any]) -> Got:
    return Got("".join(text(chunk) for chunk in chunks), None, None, chunks)


def weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}"


def invoke(make: Maker) -> Callable[[Prompt], Any]:
    return lambda prompt: whole(make(prompt).invoke(prompt.text))


def stream(make: Maker) -> Callable[[Prompt], Any]:
    return lambda prompt: pieces(list(make(prompt).stream(prompt.text)))


def batch(make: Maker) -> Callable[[Prompt], Any]:
    """Two prompts at once, on two threads."""
    return lambda prompt: Got(objects=make(prompt).batch([prompt.words(".a"), prompt.words(".b")]))


def chain(make: Maker) -> Callable[[Prompt], Any]:
    def run(prompt: Prompt) -> Got:
        from langchain_core.output_parsers import StrOutputParser
        from langchain_core.prompts import ChatPromptTemplate

        steps = ChatPromptTemplate.from_messages([("user", "{question}")]) | make(prompt) | StrOutputParser()
        return Got(steps.invoke({"question": prompt.text}))

    return run


def tools(make: Maker) -> Callable[[Prompt], Any]:
    return lambda prompt: Got(objects=make(prompt).bind_tools([weather]).invoke(prompt.text))


def ainvoke(make: Maker) -> Callable[[Prompt], Any]:
    async def run(prompt: Prompt) -> Got:
        return whole(await make(prompt).ainvoke(prompt.text))

    return run


def astream(make: Maker) -> Callable[[Prompt], Any]:
    async def run(prompt: Prompt) -> Got:
        return pieces([chunk async for chunk in make(prompt).astream(prompt.text)])

    return run


def abatch(make: Maker) -> Callable[[Prompt], Any]:
    async def run(prompt: Prompt) -> Got:
        return Got(objects=await make(prompt).abatch([prompt.words(".a"), prompt.words(".b")]))

    return run


MAKERS: dict[str, tuple[Maker, str, bool]] = {
    "langchain_openai": (openai, TODAY, True),
    "langchain_anthropic": (anthropic, TODAY, True),
    "langchain_google": (google, TODAY, True),
    "langchain_ollama": (ollama, TODAY, False),
    "langchain_mistral": (mistral, TODAY, True),
    "langchain_groq": (groq, OLDER, True),
}
"""By client: the maker of its chat model, its environment, whether it asks again by itself."""


def modes(client: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Mistral's asks again where the connection broke, and not where it was refused."""
    return tuple(mode for mode in wanted if mode != "refused") if client == "langchain_mistral" else wanted


for client, (make, env, retries) in MAKERS.items():
    given: dict[str, Any] = {"env": env, "retries": retries, "shared_loop": True}
    drives(client, "invoke", modes=modes(client, PLAIN), **given)(invoke(make))
    drives(client, "stream", modes=modes(client, WIDE_STREAM), streamed=True, **given)(stream(make))
    drives(client, "ainvoke", modes=modes(client, PLAIN), **given)(ainvoke(make))
    drives(client, "astream", modes=modes(client, STREAM), streamed=True, **given)(astream(make))
    drives(client, "batch", modes=("plain",), calls=2, **given)(batch(make))
    drives(client, "abatch", modes=("plain",), calls=2, **given)(abatch(make))
    drives(client, "chain", modes=("plain", "fails"), **given)(chain(make))
    drives(client, "tools", modes=("plain",), **given)(tools(make))


@drives("langchain_openai", "agent", modes=("plain",), calls=2)
def agent(prompt: Prompt) -> Got:
    """An agent that runs a tool: two calls of the model in one run."""
    from langchain.agents import create_agent

    made = create_agent(openai(prompt), tools=[weather])
    return Got(objects=[one.content for one in made.invoke({"messages": prompt.messages})["messages"]])


@drives("langchain_openai", "completion_llm", modes=("plain", "refused", "fails"))
def completion_llm(prompt: Prompt) -> Got:
    from langchain_openai import OpenAI

    given = {"base_url": prompt.url + "/v1", "api_key": "k", "timeout": prompt.timeout, "max_retries": prompt.retries}
    return Got(OpenAI(model="gpt-3.5-turbo-instruct", **given).invoke(prompt.text))
