"""Litellm over four of its providers, whole and streamed, sync and async. It adds nothing to the count."""

from __future__ import annotations

from typing import Any

from .scenario import Got, Prompt, drives

LITELLM = {
    "openai": ("openai/gpt-4o-mini", "/v1"),
    "anthropic": ("anthropic/claude-3-5-haiku-20241022", ""),
    "gemini": ("gemini/gemini-2.0-flash", None),
    "ollama": ("ollama_chat/llama3.2", ""),
}


def litellm_asked(prompt: Prompt, which: str) -> dict[str, Any]:
    model, path = LITELLM[which]
    # With `api_base` litellm expects the whole folder of the model here, and appends the verb itself.
    base = prompt.url + (f"/v1beta/models/{model.split('/')[1]}" if path is None else path)
    given = {"model": model, "messages": prompt.messages, "api_base": base, "api_key": "k"}
    return {**given, "timeout": prompt.timeout, "num_retries": prompt.retries}


def litellm_whole(answer: Any) -> Got:
    return Got(answer.choices[0].message.content, answer.usage.prompt_tokens, answer.usage.completion_tokens, answer)


def enter_litellm(which: str) -> None:
    client = f"litellm_{which}"
    # Gemini's streams are begun when they are first read, after litellm's own attempts.
    retries = which != "gemini"

    @drives(client, "completion")
    def completion(prompt: Prompt) -> Got:
        import litellm

        return litellm_whole(litellm.completion(**litellm_asked(prompt, which)))

    @drives(client, "stream", streamed=True, retries=retries)
    def stream(prompt: Prompt) -> Got:
        import litellm

        chunks = list(litellm.completion(**litellm_asked(prompt, which), stream=True))
        return Got("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), None, None, chunks)

    @drives(client, "acompletion")
    async def acompletion(prompt: Prompt) -> Got:
        import litellm

        return litellm_whole(await litellm.acompletion(**litellm_asked(prompt, which)))

    @drives(client, "astream", streamed=True, retries=retries)
    async def astream(prompt: Prompt) -> Got:
        import litellm

        chunks = [chunk async for chunk in await litellm.acompletion(**litellm_asked(prompt, which), stream=True)]
        return Got("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), None, None, chunks)


for name in LITELLM:
    enter_litellm(name)
