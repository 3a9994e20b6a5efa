"""The table of libraries that explain an empty figure."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from otel_chatbot.instrumentation.empty.libraries import DATABASES, MODELS, imported
from otel_chatbot.instrumentation.genai.libraries import AI_LIBRARIES


def test_only_what_the_process_has_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MODELS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert imported(MODELS) == []
    monkeypatch.setitem(sys.modules, "replicate", ModuleType("replicate"))
    assert imported(MODELS) == ["replicate"]


def test_no_library_that_is_followed_is_said_to_be_unseen() -> None:
    assert not {*MODELS, *DATABASES} & {*AI_LIBRARIES, "pymongo", "redis", "cachelib"}
