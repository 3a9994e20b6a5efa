"""The example chatbot with some lines by hand: what a cached answer saved, a figure that is none, counts without attributes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "examples" / "chatbot"))

from app import app

import otel_chatbot
from otel_chatbot import cached_answer, messages_sent, over_budget
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind


@app.post("/saved")
def saved() -> str:
    cached_answer("openai", "gpt-4o-mini", 1000, 200)
    messages_sent.inc(-1)
    over_budget()
    for spec in m.CHATBOT:
        if spec.attributes and spec.kind is Kind.COUNTER:
            getattr(otel_chatbot, spec.python).inc()
    return "saved"


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), threaded=True)
