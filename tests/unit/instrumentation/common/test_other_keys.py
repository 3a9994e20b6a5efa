"""Keys that libraries keep beside the app's cache: by one table, as texts and as bytes, and by the settings."""

from __future__ import annotations

from typing import Any

import pytest

from otel_chatbot import config
from otel_chatbot.instrumentation.common import other_keys
from otel_chatbot.instrumentation.common.other_keys import TABLE, is_cache, is_libraries, may_be_chat


def keys() -> list[tuple[str, bool]]:
    """A key of each row, and whether a chat may lie there."""
    found = [(f"{prefix}x", row.chats) for row in TABLE for prefix in row.prefixes]
    return [*found, *((f"x{suffix}", row.chats) for row in TABLE for suffix in row.suffixes), ("celery", False)]


@pytest.mark.parametrize(("key", "chats"), keys())
@pytest.mark.parametrize("made", [str, str.encode, lambda key: bytearray(key.encode())], ids=["str", "bytes", "bytearray"])
def test_keys_of_libraries_are_no_cache(key: str, chats: bool, made: Any) -> None:
    assert not is_cache(made(key))
    assert is_libraries(made(key))
    assert may_be_chat(made(key)) is chats


@pytest.mark.parametrize("key", ["celery2", "mysession:1", "x_memver2", "LIMIT", "", 5, b"answer:1"])
def test_other_keys_are_the_apps(key: Any) -> None:
    assert is_cache(key)
    assert not is_libraries(key)
    assert may_be_chat(key)


def test_keys_that_settings_exclude_are_no_cache_and_may_be_chats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "current", lambda: config.Settings(cache_exclude=("own:",)))
    assert [is_cache(key) for key in ("own:1", b"own:1", "owner")] == [False, False, True]
    assert [is_libraries(key) for key in ("own:1", "owner")] == [True, False]
    assert may_be_chat("own:1")


def test_with_a_prefix_its_keys_alone_are_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "current", lambda: config.Settings(cache_prefix="session:", cache_exclude=("session:x",)))
    assert [is_cache(key) for key in ("session:1", b"session:x", "answer:1")] == [True, True, False]


def test_the_packages_own_keys_are_in_the_table() -> None:
    assert not is_cache(f"{other_keys.OWN_KEYS}active:users")
