"""YAML as text, for the few shapes that the rendered files need: mappings, lists, strings, numbers; comments at the top.

Fed by the other renderers; feeds their files. The package needs no YAML library for it, and tests read it back with one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

Node = Mapping[str, "Node"] | Sequence["Node"] | str | int | float | bool

_PLAIN: Final = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)$)[A-Za-z][\w./-]*", re.IGNORECASE)
"""Strings that are the same without quotes."""


def yaml_text(node: Node, header: str = "") -> str:
    """A document; `header` is a comment."""
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return comment + "\n".join(_block(node)) + "\n"


def _block(node: Node) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _entry(f"{key}:", value)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            if isinstance(value, (Mapping, list, tuple)) and value:
                first, *rest = _block(value)
                yield f"- {first}"
                yield from (f"  {line}" if line else "" for line in rest)
            else:
                yield from _entry("-", value)


def _entry(head: str, value: Node) -> Iterator[str]:
    if isinstance(value, str) and "\n" in value:
        yield f"{head} |-"
        yield from (f"  {line}" for line in value.split("\n"))
    elif isinstance(value, (Mapping, list, tuple)) and value:
        yield head
        yield from (f"  {line}" for line in _block(value))
    else:
        yield f"{head} {_scalar(value)}"


def _scalar(value: Node) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value):
            return value
        if '"' in value:
            return "'" + value.replace("'", "''") + "'"
    return json.dumps(value, ensure_ascii=False)
