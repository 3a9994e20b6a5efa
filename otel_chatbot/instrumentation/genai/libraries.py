"""The libraries whose import switches the instrumentation of AI calls on: HTTP clients, and clients that retry by themselves.

Lists of names and nothing else, so that the distribution can wait for them without loading what follows them (`genai.hooks`).
"""

from __future__ import annotations

from typing import Final

AI_CLIENTS: Final = ("openai", "anthropic", "groq", "together", "cohere", "litellm")
"""Those that may be switched off by their name in `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`; `genai` there switches all off."""
AI_LIBRARIES: Final = (
    "httpx", "httpx2", "aiohttp", "urllib3", "requests", "grpc._channel", "grpc.aio._call",
    "openai", "anthropic", "groq", "together", "cerebras.cloud.sdk", "mistralai.client.basesdk", "mistralai.basesdk", "litellm", "google.genai", "cohere", "botocore.client",
    "google.api_core.gapic_v1.method", "langchain_mistralai.chat_models",
)  # fmt: skip
BESIDE: Final = tuple(f"opentelemetry.instrumentation.{name}" for name in ("requests", "urllib3", "urllib"))
"""Upstream's instrumentations of HTTP clients that replace the methods which ours replace (`genai.outermost`)."""
OTHERS: Final = (
    *(f"opentelemetry.instrumentation.{name}" for name in (*AI_CLIENTS[:5], "mistralai", "google_generativeai", "bedrock")),
    "opentelemetry.instrumentation.genai.anthropic",
    "openinference.instrumentation.anthropic", "openinference.instrumentation.google_genai",
)  # fmt: skip
"""Other tools' instrumentations of clients whose spans are not the current one while a model is asked (`genai.others`)."""
AGENTS: Final = (
    "langchain_core.tools.base", "langchain_core.runnables.base", "langgraph.pregel", "langgraph.pregel.main",
    *(f"llama_index.core.tools.{name}" for name in ("function_tool", "query_engine", "retriever_tool")),
    *(f"llama_index.core.agent.workflow.{name}" for name in ("base_agent", "multi_agent_workflow")),
    *(f"llama_index.core.chat_engine.{name}" for name in ("simple", "context", "condense_question", "condense_plus_context", "types")),
    "llama_index.core.base.base_query_engine",
)  # fmt: skip
"""What runs tools, agents and chains (`genai.agents`)."""
