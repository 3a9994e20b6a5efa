"""What the server was asked, as the wires read it: the body, and what the prompt's directive says about the answer.

A directive stands anywhere in the body or the path: `wires:MODE:TAG`. The mode says how the answer goes wrong, if it does;
token counts follow from the tag, so that no two calls of a test have the same.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

MODES = {
    "plain": "answered",
    "gzip": "answered, compressed where the client accepts it",
    "split": "answered, each frame in two pieces that cut characters and lines",
    "refused": "429 at the first attempt, then answered",
    "unavailable": "503 at the first attempt, then answered",
    "fails": "500 at every attempt",
    "late": "no answer until the client has gone",
    "left": "half of a stream, and the rest once the client has gone: for an app that does not read on",
    "closed": "the connection is reset: within the body, or in mid-stream",
    "garbage": "JSON that ends in its middle, or a stream with a broken frame",
    "html": "a page of HTML with status 200",
}
DIRECTIVE = re.compile(r"wires:([a-z]+)(?::([\w.-]+))?")
WORDS = ("Every", " call", " counts", ": cof", "fee is 5 €,", " naïve", " 🙂", ".")
TEXT = "".join(WORDS)
THOUGHT = "The user wants one sentence."
ARGUMENTS = {"city": "Zürich"}
STRUCTURED = '{"name": "Ada", "age": 36}'


@dataclass(frozen=True)
class Tokens:
    """Token counts: `input` and `output` are whole, the others are parts of them."""

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @classmethod
    def of(cls, tag: str) -> Tokens:
        number = zlib.crc32(tag.encode())
        return cls(40 + number % 50, 20 + number // 50 % 40, 8, 4, 6)

    def only(self, *parts: str) -> Tokens:
        """These counts alone; the others are none."""
        return replace(Tokens(), **{part: getattr(self, part) for part in parts})


@dataclass(frozen=True)
class Ask:
    """One HTTP request."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]
    mode: str
    tag: str
    tokens: Tokens = field(default_factory=Tokens)

    @classmethod
    def read(cls, method: str, target: str, headers: dict[str, str], raw: bytes) -> Ask:
        address = urlsplit(target)
        path = unquote(address.path)
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        text = json.dumps(body, ensure_ascii=False) if body else raw.decode("utf-8", "replace")
        found = list(DIRECTIVE.finditer(path + text))
        mode, tag = (found[-1][1], found[-1][2] or "") if found else ("plain", "")
        body = body if isinstance(body, dict) else {"": body}
        query = parse_qs(address.query)
        return cls(method, path, query, headers, raw, body, mode if mode in MODES else "plain", tag, Tokens.of(tag))

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def call(self) -> str:
        """The same for all attempts of one call: the request without what a client may change from one to the next."""
        kept = {key: value for key, value in self.body.items() if key != "stream_options"}
        return f"{zlib.crc32(f'{self.method} {self.path} {json.dumps(kept, sort_keys=True)}'.encode()):08x}"

    def call_of_bytes(self) -> str:
        """As `call`, for a body that is no JSON."""
        return f"{zlib.crc32(self.path.encode() + self.raw):08x}"

    def wants_tool(self) -> bool:
        """Whether to answer with a tool call: tools are offered, and no tool's result is there yet."""
        text = json.dumps(self.body)
        seen = (
            '"role": "tool"',
            '"tool_result"',
            '"function_call_output"',
            '"functionResponse"',
            '"toolResult"',
            '"tool_results"',
        )
        offered = self.body.get("tools") or self.body.get("toolConfig")
        return bool(offered) and not any(mark in text for mark in seen)

    def tool_name(self) -> str:
        """The first tool that was offered; each wire spells it in its own way."""
        found = re.search(r'"name": "([\w-]+)"', json.dumps(self.body.get("tools") or self.body.get("toolConfig")))
        return found[1] if found else "tool"

    def wants_json(self) -> bool:
        return '"json_schema"' in json.dumps(self.body.get("response_format") or self.body.get("text") or "")

    def text(self) -> str:
        return STRUCTURED if self.wants_json() else TEXT

    def words(self) -> tuple[str, ...]:
        return (STRUCTURED[:10], STRUCTURED[10:]) if self.wants_json() else WORDS
