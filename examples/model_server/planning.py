"""Plans the answers of the stand-in for a model: the same messages always give the same plan.

Words in the last message of the user tell it how to behave, so that a demo or a test can drive it through any client:

    /chunks 50   an answer of 50 tokens, each a chunk of its own when streamed
    /wait 2      two seconds before the first token
    /slow 3      three seconds for the answer, spread over its tokens when streamed
    /fail 429    no answer, this HTTP status instead
    /cut         the connection breaks in the middle of the answer
    /old         an endpoint that refuses `stream_options` with a 400
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COMMAND = re.compile(r"(?:^|\s)/(chunks|wait|slow|fail|cut|old)\b(?:[ \t]+(\d+(?:\.\d+)?))?")
TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])")
TOKENS_A_MESSAGE = 4
"""The tokens that a real endpoint counts for the frame around each message."""
MOST_CHUNKS = 10_000
LONGEST_WAIT = 300.0

THOUGHTS = (
    (
        ("slow", "latency", "long", "time", "fast"),
        (
            "A slow answer has usually one slow part: reading the history, the cache, the wait for the first word, or the words "
            "themselves. Look at the trace of one slow request first, and only then at the averages."
        ),
    ),
    (
        ("trace", "span", "observ", "telemetry", "metric", "monitor"),
        (
            "A trace follows one request through every layer, a metric counts all of them, and a log line says why. Start with "
            "the metric that your users feel, jump from its exemplar to a trace, and read the lines that carry the same id."
        ),
    ),
    (
        ("cache", "redis"),
        (
            "A cache pays when the same question comes twice. Watch the ratio of hits to all reads: when it falls after a "
            "release, somebody has changed the key."
        ),
    ),
    (
        ("mongo", "database", "query"),
        (
            "Ask first how often a query runs, then how long it takes. A fast query in a loop costs more than a slow one that "
            "runs once, and an index helps only the second."
        ),
    ),
    (
        ("hello", "hi", "hey", "morning"),
        (
            "Hello! I am a small stand-in for a language model: I always give the same answer to the same question. Ask me "
            "about traces, caches or slow answers, or write /slow 3 behind your question to see what waiting looks like."
        ),
    ),
)
NO_THOUGHT = (
    "I am a small stand-in for a language model, so I know little, but I know it reliably: the same question always gets "
    "the same answer. Set OPENAI_API_KEY to talk with a real one."
)


@dataclass(frozen=True)
class Plan:
    """The answer to one request. Times are in seconds; each token is one chunk of a streamed answer."""

    tokens: tuple[str, ...]
    prompt_tokens: int
    wait: float = 0.0
    slow: float = 0.0
    fail: int | None = None
    cut: bool = False
    refuses_stream_options: bool = False

    @property
    def text(self) -> str:
        return "".join(self.tokens)


def plan(messages: Sequence[Any], delay: float = 0.0) -> Plan:
    """The plan for a request with these messages; `delay` is the wait if the message names none."""
    texts = [message_text(message) for message in messages]
    users = [text for message, text in zip(messages, texts, strict=True) if message.get("role") == "user"]
    prompt = users[-1] if users else ""
    commands = dict(COMMAND.findall(prompt))

    def number(name: str, default: float, most: float) -> float:
        return min(float(commands[name] or default), most) if name in commands else 0.0

    tokens = TOKEN.findall(reply(COMMAND.sub(" ", prompt)))
    if "chunks" in commands:
        tokens = list(itertools.islice(itertools.cycle(tokens), int(number("chunks", 50, MOST_CHUNKS))))
    return Plan(
        tokens=tuple(tokens),
        prompt_tokens=sum(len(TOKEN.findall(text)) + TOKENS_A_MESSAGE for text in texts),
        wait=number("wait", 1, LONGEST_WAIT) if "wait" in commands else delay,
        slow=number("slow", 3, LONGEST_WAIT),
        fail=max(400, int(number("fail", 500, 599))) if "fail" in commands else None,
        cut="cut" in commands,
        refuses_stream_options="old" in commands,
    )


def message_text(message: Any) -> str:
    """The text of a message, whose content may be a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content)
    return content or ""


def reply(prompt: str) -> str:
    """An answer that begins with the question, so that different questions have different answers."""
    asked = " ".join(prompt.split())
    words = asked.lower()
    thought = next((text for keys, text in THOUGHTS if any(re.search(rf"\b{key}", words) for key in keys)), NO_THOUGHT)
    quoted = asked if len(asked) <= 80 else asked[:79] + "…"
    return f"You asked: “{quoted}”\n{thought}" if asked else thought
