"""The libraries whose import switches the instrumentation of AI calls on: HTTP clients, and clients that try again by themselves.

A list of names and nothing else, so that the distribution can wait for them without loading what follows them (`genai.hooks`).
"""

from __future__ import annotations

from typing import Final

AI_LIBRARIES: Final = (
    "httpx", "httpx2", "urllib3", "requests",
    "openai", "anthropic", "groq", "together", "cerebras.cloud.sdk", "mistralai", "google.genai", "cohere", "botocore.client",
    "google.api_core.gapic_v1.method",
)  # fmt: skip
