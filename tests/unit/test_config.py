"""Settings are read from the environment once; a wrong one keeps its default and is told of with name, value and remedy."""

from __future__ import annotations

import dataclasses
import os
import re

import pytest

from otel_chatbot import config
from otel_chatbot.config import Settings


def test_an_empty_environment_and_blank_variables_mean_the_defaults() -> None:
    blank = {config.env_name(field): " " for field in config.fields()}
    assert Settings.from_env({}) == Settings.from_env(blank) == Settings()
    assert Settings().changed() == {}


def test_a_variable_is_read_by_the_fields_name_or_by_the_name_that_it_already_has_elsewhere() -> None:
    settings = Settings.from_env(
        {"CHATBOT_OTEL_ACTIVE_WINDOW": "60", "ENVIRONMENT": "production", "REDIS_URL": "redis://r", "ACTIVE_WINDOW": "5"}
    )
    assert (settings.active_window, settings.production, settings.redis_url) == (60.0, True, "redis://r")
    assert settings.warnings == ()


def test_a_bad_value_keeps_the_default_and_the_warning_has_name_value_reason_and_default() -> None:
    settings = Settings.from_env({"CHATBOT_OTEL_SERIES_LIMIT": "many", "CHATBOT_OTEL_LOG_DIR": "here"})
    assert (settings.series_limit, settings.log_dir) == (2000, "here")
    assert settings.warnings == (
        "CHATBOT_OTEL_SERIES_LIMIT='many' is not usable (expected a whole number, more than 0); using the default 2000",
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CHATBOT_OTEL_LOGDIR", "did you mean CHATBOT_OTEL_LOG_DIR?"),
        ("CHATBOT_OTEL_MONGODB_URL", "did you mean MONGODB_URI?"),
        ("CHATBOT_OTEL_XYZZY", "see the settings page for the names"),
    ],
)
def test_a_name_that_is_no_setting_is_told_of_with_the_nearest_one(name: str, hint: str) -> None:
    assert Settings.from_env({name: "x", "OTHER": "y"}).warnings == (
        f"{name} is not a setting of otel-chatbot and is ignored; {hint}",
    )


def test_what_was_changed_is_shown_by_its_variable_and_secrets_are_masked() -> None:
    given = {
        "CHATBOT_OTEL_LOG_LEVEL": "debug",
        "CHATBOT_OTEL_ENDPOINT_TOKEN": "t0ken",
        "OPENAI_API_KEY": "sk-1",
        "MONGODB_URI": "m",
    }
    assert Settings.from_env(given).changed() == {
        "CHATBOT_OTEL_LOG_LEVEL": "DEBUG",
        "CHATBOT_OTEL_ENDPOINT_TOKEN": "****",
        "OPENAI_API_KEY": "****",
        "MONGODB_URI": "****",
    }


def test_traces_and_spool_are_in_the_folder_of_the_logs_unless_they_are_put_elsewhere() -> None:
    near = Settings(log_dir="here")
    assert near.trace_path == os.path.join("here", "traces.otlp.jsonl")
    assert near.spool_path == os.path.join("here", "spool")
    apart = Settings(log_dir="here", trace_file="t", spool_dir="s")
    assert (apart.trace_path, apart.spool_path) == ("t", "s")


def test_every_setting_says_in_one_line_what_it_is_for_and_its_default_is_what_its_parser_makes() -> None:
    for field in config.fields():
        assert field.metadata["brief"], field.name
        assert "\n" not in field.metadata["brief"]
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+", config.env_name(field))
    names = [config.env_name(field) for field in config.fields()]
    assert len(set(names)) == len(names)
    assert {field.name for field in dataclasses.fields(Settings)} - {field.name for field in config.fields()} == {"warnings"}


def test_the_processs_settings_are_read_at_the_first_call_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    config.current.cache_clear()
    try:
        monkeypatch.setenv("CHATBOT_OTEL_LOG_DIR", "first")
        assert config.current().log_dir == "first"
        monkeypatch.setenv("CHATBOT_OTEL_LOG_DIR", "second")
        assert config.current().log_dir == "first"
    finally:
        config.current.cache_clear()


def test_a_file_that_is_not_usable_is_named_with_its_setting_and_what_was_expected(caplog: pytest.LogCaptureFixture) -> None:
    config.warn_of_file("BUDGETS", "b.json", ValueError("no list"), "a list")
    assert caplog.messages == ["CHATBOT_OTEL_BUDGETS=b.json is not usable (ValueError: no list); expected a list"]
