"""The sink beside other tools that replace logging's methods: each sees every record once, whoever came first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wrapt
from support.logging_state import sink_into

from otel_chatbot import config, get_logger
from otel_chatbot.logs import sink


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    before = {name: vars(logging.Logger)[name] for name in ("callHandlers", "makeRecord")}
    yield
    for name, method in before.items():
        setattr(logging.Logger, name, method)


def as_sentry(seen: list[str]) -> None:
    old = logging.Logger.callHandlers

    def sentry_patched(self: Any, record: logging.LogRecord) -> Any:
        try:
            return old(self, record)
        finally:
            seen.append(record.getMessage())

    logging.Logger.callHandlers = sentry_patched  # type: ignore[method-assign]


def as_new_relic(seen: list[str]) -> None:
    def wrapper(wrapped: Any, instance: logging.Logger, args: Any, kwargs: Any) -> Any:
        assert isinstance(instance, logging.Logger)
        seen.append(args[0].getMessage())
        return wrapped(*args, **kwargs)

    wrapt.wrap_function_wrapper(logging, "Logger.callHandlers", wrapper)


def as_datadog(seen: list[str]) -> None:
    def wrapper(wrapped: Any, instance: logging.Logger, args: Any, kwargs: Any) -> Any:
        record = wrapped(*args, **kwargs)
        record.dd_service = instance.name
        seen.append(record.getMessage())
        return record

    wrapt.wrap_function_wrapper(logging, "Logger.makeRecord", wrapper)


REFUSED = {"name": "an extra that logging refuses"}
TOOLS = [as_sentry, as_new_relic, as_datadog]


def lines(folder: Path) -> list[str]:
    return [line for line in (folder / "chatbot.json.log").read_text().splitlines() if '"told' in line]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_came_first_goes_on_and_so_do_we(tool: Callable[[list[str]], None], tmp_path: Path) -> None:
    seen: list[str] = []
    sink.uninstall()
    tool(seen)
    with sink_into(tmp_path):
        logging.getLogger("shop").error("told")
        assert seen == ["told"]
        assert len(lines(tmp_path)) == 1
    logging.getLogger("shop").error("after us")
    assert seen == ["told", "after us"]
    assert len(lines(tmp_path)) == 1


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_came_later_is_not_thrown_out_by_a_second_set_up(tool: Callable[[list[str]], None], tmp_path: Path) -> None:
    seen: list[str] = []
    with sink_into(tmp_path):
        tool(seen)
        assert sink.installed()
        sink.install(config.current())
        get_logger("shop")
        logging.getLogger("shop").error("told", extra=REFUSED)
        assert seen == ["told"]
        assert len(lines(tmp_path)) == 1
        sink.uninstall()
        logging.getLogger("shop").error("not for us")
        assert len(seen) == 2
        assert not sink.installed()
        sink.install(config.Settings(log_dir=str(tmp_path)))
        logging.getLogger("shop").error("told again")
        assert seen == ["told", "not for us", "told again"]
        assert len(lines(tmp_path)) == 2


def test_a_tool_that_hides_us_lets_each_record_be_written_once(tmp_path: Path) -> None:
    with sink_into(tmp_path):
        hidden = {"old": logging.Logger.callHandlers}

        class Opaque:
            __slots__ = ()

            def __get__(self, instance: Any, kind: type) -> Any:
                return lambda record: hidden["old"](instance, record)

        logging.Logger.callHandlers = Opaque()  # type: ignore[assignment, method-assign]
        sink.install(config.Settings(log_dir=str(tmp_path)))
        logging.getLogger("shop").error("told")
        assert len(lines(tmp_path)) == 1
