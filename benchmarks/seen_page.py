"""Makes the page docs/who-sees-what.md from the data that `who_sees_what.py` writes. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CLIENTS: Mapping[str, tuple[str, str]] = {
    "openai": ("openai", "openai"),
    "openai2": ("openai", "openai, the release before"),
    "anthropic": ("anthropic", "anthropic"),
    "google_genai": ("google-genai", "google-genai"),
    "generativeai": ("google-generativeai", "google-generativeai"),
    "mistral": ("mistralai", "mistralai"),
    "groq": ("groq", "groq"),
    "together": ("together", "together"),
    "cohere": ("cohere", "cohere"),
    "ollama": ("ollama", "ollama"),
    "bedrock": ("boto3", "boto3: Bedrock"),
    "litellm_openai": ("litellm", "litellm: OpenAI"),
    "litellm_anthropic": ("litellm", "litellm: Anthropic"),
    "litellm_gemini": ("litellm", "litellm: Gemini"),
    "litellm_ollama": ("litellm", "litellm: Ollama"),
    "langchain_openai": ("langchain-openai", "langchain: OpenAI"),
    "langchain_anthropic": ("langchain-anthropic", "langchain: Anthropic"),
    "langchain_google": ("langchain-google-genai", "langchain: Gemini"),
    "langchain_mistral": ("langchain-mistralai", "langchain: Mistral"),
    "langchain_groq": ("langchain-groq", "langchain: Groq"),
    "langchain_ollama": ("langchain-ollama", "langchain: Ollama"),
    "llama_index": ("llama-index-llms-openai", "llama-index: OpenAI"),
    "requests": ("requests", "requests by hand"),
    "httpx": ("httpx", "httpx by hand"),
    "httpx_async": ("httpx", "httpx by hand, asynchronous"),
    "httpx2": ("httpx2", "httpx2 by hand"),
    "httpx2_async": ("httpx2", "httpx2 by hand, asynchronous"),
    "aiohttp": ("aiohttp", "aiohttp by hand"),
    "urllib3": ("urllib3", "urllib3 by hand"),
    "urlopen": ("", "`urllib.request` by hand"),
    "http_client": ("", "`http.client` by hand"),
}
"""By the name in the scenarios: the distribution, and its name for readers; in the order of the table."""
QUESTIONS = ("calls", "errors", "tokens")

Counts = Mapping[str, Mapping[str, list[int]]]
"""By client and question: how many are right, and of how many."""


def page(result: Mapping[str, Any]) -> str:
    """The document."""
    note = [result["note"]] if "note" in result else []  # the origin of the figures, if they are not from one run
    return "\n\n".join([_head(result), *note, _table(result), _rest(result), _tools(result)]) + "\n"


def _head(result: Mapping[str, Any]) -> str:
    return f"""# Who sees which model calls

Written by `benchmarks/who_sees_what.py` on {result["date"]}; Python {result["python"]}. Real clients asked a server that speaks the
real wires and keeps a ledger, {result["scenarios"]} scenarios under each tool, of the ones that the tests of this package run: plain and
streamed, refused once, failed with status 500, cut in the middle, left by the app. A tool's spans were compared with the ledger.

A cell says **calls · errors · tokens**: in how many scenarios each was exactly the ledger's, of how many. A call is right
where it has one span: two spans of one call are a wrong count. Errors and tokens are right only where the calls are. Errors
are asked where something goes wrong, and tokens where the server told them under at least one tool."""


def _table(result: Mapping[str, Any]) -> str:
    tools = result["tools"]
    lines = [_line("client", *(tool["title"] for tool in tools)), _line("---", *(["---:"] * len(tools)))]
    for client, (_, title) in CLIENTS.items():
        if any(client in tool["clients"] for tool in tools):
            version = result["versions"].get(client, "")
            lines.append(_line(f"{title} {version}".strip(), *(_cell(tool["clients"].get(client)) for tool in tools)))
    lines.append(_line("**all**", *(f"**{_cell(_sum(tool['clients']))}**" for tool in tools)))
    return "\n".join(lines)


def _rest(result: Mapping[str, Any]) -> str:
    tools = result["tools"]
    rows = {
        "scenarios with no span of a call": [_of(tool, "unseen") for tool in tools],
        "scenarios with more spans of calls than calls": [_of(tool, "twice") for tool in tools],
        "scenarios in which the app got something else than without the tool": [_of(tool, "changed") for tool in tools],
        "packages that pip installs for it": [str(tool["packages"] or "") for tool in tools],
        "of them, such as the clients do not bring along": [str(tool["besides clients"]) for tool in tools],
    }
    lines = [_line("", *(tool["title"] for tool in tools)), _line("---", *(["---:"] * len(tools)))]
    return "\n".join([*lines, *(_line(what, *cells) for what, cells in rows.items())])


def _tools(result: Mapping[str, Any]) -> str:
    parts = ["## The tools"]
    for tool in result["tools"]:
        versions = ", ".join(f"{name} {version}" for name, version in tool["versions"].items())
        lines = [f"- **{tool['title']}**: {tool['how']}" + (f"; {versions}." if versions else ".")]
        lines += [
            f"    - Beside these clients pip refuses it, so it was installed without asking pip: {_what(tool['refused'])}."
        ] * bool(tool["refused"])
        lines += [f"    - Says at its start: `{line}`" for line in tool["said"]]
        parts.append("\n".join(lines))
    return "\n\n".join([parts[0], "\n".join(parts[1:])])


def _what(refused: list[str]) -> str:
    return "; ".join(refused)


def _of(tool: Mapping[str, Any], question: str) -> str:
    return str(_sum(tool["clients"])[question][0])


def _sum(clients: Counts) -> dict[str, list[int]]:
    total: dict[str, list[int]] = {}
    for counts in clients.values():
        for question, (right, asked) in counts.items():
            so_far = total.setdefault(question, [0, 0])
            so_far[0] += right
            so_far[1] += asked
    return total


def _cell(counts: Mapping[str, list[int]] | None) -> str:
    if counts is None:
        return ""
    return " · ".join(f"{counts[question][0]}/{counts[question][1]}" if counts[question][1] else "-" for question in QUESTIONS)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
