"""The example chatbot by each of its clients of models, observed: what it shows is what the model server's log says."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.servers import MongoServer
from support.stack import Stack

CLIENTS = {
    "openai": ("openai", "gpt-4o-mini"),
    "anthropic": ("anthropic", "claude-haiku-4-5"),
    "google-genai": ("gcp.gemini", "gemini-2.5-flash"),
    "httpx": ("openai", "gpt-4o-mini"),
}
"""By the value of MODEL_CLIENT: who is asked, and the model that is asked for by default."""


@pytest.mark.parametrize("client", CLIENTS)
def test_the_figures_of_a_client_are_those_of_the_servers_own_log(
    tmp_path: Path, mongo_server: MongoServer, client: str
) -> None:
    provider, model = CLIENTS[client]
    labels = {"gen_ai_provider_name": provider, "gen_ai_request_model": model}
    with Stack(tmp_path, mongo=mongo_server, env={"MODEL_CLIENT": client, "CHATBOT_OTEL_AI_ADDRESSES": ""}) as stack:

        def tokens(kind: str) -> float:
            return stack.total("gen_ai_client_token_usage_sum", gen_ai_token_type=kind, **labels)

        stack.stream("the first stream shows whether the endpoint tells its tokens")
        before = tokens("input"), tokens("output")
        whole, streamed = stack.chat("hello there"), stack.stream("tell me of traces /chunks 9")
        assert (whole.status, whole.json["response"]) == (200, stack.answer("hello there"))
        assert streamed[-1].data["response"] == stack.answer("tell me of traces /chunks 9")
        answered = stack.model.calls(3)[1:]
        assert all(call.usage_sent for call in answered)
        assert tokens("input") - before[0] == sum(call.prompt_tokens for call in answered)
        assert tokens("output") - before[1] == sum(call.completion_tokens for call in answered)

        assert stack.chat("/fail 418").status == 502
        assert stack.stream("/cut /chunks 8")[-1].name == "error"
        calls = stack.model.calls(5)
        assert {call.model for call in calls} == {model}
        assert stack.total("chatbot_ai_response_time_seconds_count", **labels) == len(calls)
        assert stack.total("chatbot_errors_total") == sum(call.failed for call in calls) == 2
        assert stack.total("chatbot_messages_sent_total") == len(calls)
