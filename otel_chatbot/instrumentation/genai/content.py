"""What a model was asked and what it answered, as the conventions' messages in JSON. Only where the application opts in.

Fed by `genai.spans`; feeds a span's attributes, which the exporters redact. One reader for all wires: roles, texts and tools
have few names. Pictures and sounds are named, never held.
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from ...semconv import attributes as a
from .protocols.answer import MOST_TEXT, Answer, ToolCall, dict_of, dicts_of, list_of

_MOST_MESSAGES: Final = 256
_SYSTEM: Final = frozenset({"system", "developer"})


def asked(body: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of what was asked, from a request's body in any wire's words."""
    room = _Budget()
    system: list[dict[str, Any]] = []
    for name in ("instructions", "system", "systemInstruction", "system_instruction", "preamble"):
        system += _parts(body.get(name), room)
    messages: list[dict[str, Any]] = []
    for name in ("chat_history", "messages", "contents", "input", "additional_messages"):
        given = body.get(name)
        for message in list_of(given)[-_MOST_MESSAGES:] if isinstance(given, list) else []:
            _add(message, messages, system, room)
    alone = [body[name] for name in ("prompt", "input", "message", "inputs", "inputText") if isinstance(body.get(name), str)]
    messages += [{"role": "user", "parts": _parts(text, room)} for text in alone]
    found = {a.GEN_AI_INPUT_MESSAGES: messages, a.GEN_AI_SYSTEM_INSTRUCTIONS: system, a.GEN_AI_TOOL_DEFINITIONS: _tools(body)}
    return {name: orjson.dumps(value).decode() for name, value in found.items() if value}


def _add(message: Any, messages: list[dict[str, Any]], system: list[dict[str, Any]], room: _Budget) -> None:
    if isinstance(message, str):
        messages.append({"role": "user", "parts": _parts(message, room)})
        return
    held = dict_of(message)
    role = str(held.get("role") or "user").lower()
    parts = _parts(held.get("content") or held.get("parts") or held.get("message"), room)
    if held.get("type") in ("function_call", "function_call_output", "custom_tool_call"):
        role, parts = "tool" if "output" in held["type"] else "assistant", _parts([held], room)
    for tool in dicts_of(held.get("tool_calls")):
        parts += _parts([tool], room)
    if role == "tool":
        told = [part.get("content") for part in parts if part["type"] == "text"]
        if told:
            response = "".join(map(str, told))
            parts = [{"type": "tool_call_response", "id": held.get("tool_call_id"), "response": response}]
    if role in _SYSTEM:
        system += parts
    else:
        messages.append({"role": "assistant" if role in ("model", "chatbot") else role, "parts": parts})


class _Budget:
    """How many characters may still be kept."""

    def __init__(self) -> None:
        self.left = MOST_TEXT

    def cut(self, text: str) -> str:
        kept = text[: max(self.left, 0)]
        self.left -= len(text)
        return kept


def _parts(said: Any, room: _Budget) -> list[dict[str, Any]]:
    if isinstance(said, str):
        return [{"type": "text", "content": room.cut(said)}] if said else []
    if isinstance(said, dict):
        return _parts(said.get("parts") or said.get("content") or [said], room)
    return [part for item in list_of(said) if (part := _part(item, room)) is not None]


def _part(item: Any, room: _Budget) -> dict[str, Any] | None:
    if isinstance(item, str):
        return {"type": "text", "content": room.cut(item)}
    held = dict_of(item)
    for name, kind in (("text", "text"), ("thinking", "reasoning"), ("refusal", "text"), ("outputText", "text")):
        if isinstance(held.get(name), str):
            return {"type": kind, "content": room.cut(held[name])}
    called = held.get("function") or held.get("functionCall") or held.get("toolUse")
    if isinstance(called, dict) or held.get("type") in ("tool_use", "function_call", "custom_tool_call"):
        source = called if isinstance(called, dict) else held
        arguments = source.get("arguments", source.get("args", source.get("input")))
        number = held.get("id") or held.get("call_id") or source.get("id") or source.get("toolUseId")
        return {"type": "tool_call", "id": number, "name": source.get("name"), "arguments": _value(arguments, room)}
    result = held.get("functionResponse") or held.get("toolResult")
    if isinstance(result, dict) or held.get("type") in ("tool_result", "function_call_output"):
        source = result if isinstance(result, dict) else held
        response = source.get("response", source.get("content", source.get("output")))
        number = source.get("tool_use_id") or source.get("call_id") or source.get("id") or source.get("toolUseId")
        return {"type": "tool_call_response", "id": number, "response": _value(response, room)}
    other = held.get("type")
    return {"type": other} if isinstance(other, str) and other else None


def _value(value: Any, room: _Budget) -> Any:
    if isinstance(value, str):
        return room.cut(value)
    text = orjson.dumps(value).decode()
    return value if len(text) <= room.left else room.cut(text)


def text(value: Any) -> str:
    """Any value of the application, for an attribute."""
    return (value if isinstance(value, str) else orjson.dumps(value, str, orjson.OPT_NON_STR_KEYS).decode())[:MOST_TEXT]


def _tools(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = body.get("tools") or dict_of(body.get("toolConfig")).get("tools")
    found: list[Any] = []
    for tool in dicts_of(given)[:_MOST_MESSAGES]:
        described = dict_of(tool.get("function")) or dict_of(tool.get("toolSpec")) or tool
        found.extend(named.get("name") for named in [described, *dicts_of(tool.get("functionDeclarations"))])
    return [{"type": "function", "name": name} for name in found if isinstance(name, str)]


def _parsed(tool: ToolCall) -> Any:
    text = "".join(tool.arguments)
    try:
        return orjson.loads(text)
    except ValueError:  # cut
        return text


def answered(answer: Answer) -> dict[str, str]:
    """The attribute of what was answered."""
    messages = []
    indices = sorted({index for index, _ in answer.parts} | {tool.index for tool in answer.tools.values()} | set(answer.finish))
    for index in indices:
        parts: list[dict[str, Any]] = [
            {"type": kind, "content": "".join(answer.parts[index, kind])}
            for kind in ("reasoning", "text")
            if (index, kind) in answer.parts
        ]
        parts += [
            {"type": "tool_call", "id": tool.call_id, "name": tool.name, "arguments": _parsed(tool)}
            for tool in answer.tools.values()
            if tool.index == index
        ]
        messages.append({"role": "assistant", "parts": parts, "finish_reason": answer.finish.get(index, "")})
    return {a.GEN_AI_OUTPUT_MESSAGES: orjson.dumps(messages).decode()} if messages else {}
