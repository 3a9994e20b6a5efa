"""YAML as text: whatever is written reads back as what it was."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otel_chatbot.render.yaml_text import yaml_text

_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\x85\ufeff"))
_LINES = st.lists(_TEXT.map(str.strip).filter(bool), min_size=2, max_size=3).map("\n".join)
_KEY = st.from_regex(r"[a-z_]{3,8}", fullmatch=True).filter(lambda key: key not in {"yes", "off", "true", "null", "false"})
_NODE = st.recursive(
    _TEXT | _LINES | st.integers(-999, 999) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEY, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_KEY, _NODE, min_size=1, max_size=4))
def test_yaml_reads_back_as_what_was_written(node: dict) -> None:
    assert yaml.safe_load(yaml_text(node, "a comment\nof two lines")) == node


@pytest.mark.parametrize(
    "text", ["on", "Yes", "null", "1h", "1.5", "a: b", "- x", 'say "it"', 'it\'s "it"', "", "#x", "{{ $x }}"]
)
def test_yaml_keeps_texts_that_look_like_something_else(text: str) -> None:
    assert yaml.safe_load(yaml_text({"value": text, "list": [text]})) == {"value": text, "list": [text]}


def test_a_document_has_its_comment_at_the_top_its_lists_indented_and_its_texts_as_blocks() -> None:
    node = {"groups": [{"name": "a", "rules": [{"expr": "up\nand up"}, {}]}, "text", [1]], "empty": {}}
    assert yaml_text(node, "one\ntwo").splitlines() == [
        "# one", "# two", "groups:", "  - name: a", "    rules:", "      - expr: |-", "          up", "          and up",
        "      - {}", "  - text", "  - - 1", "empty: {}",
    ]  # fmt: skip
