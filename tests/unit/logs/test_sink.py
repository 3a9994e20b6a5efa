"""The sink takes every record once, also beside other tools that replace logging's methods, whoever came first."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wrapt
from support.logging_state import sink_into

from otel_chatbot import config, get_logger
from otel_chatbot.logs import sink
from otel_chatbot.logs.access import replace_request_lines


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


def messages(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "chatbot.json.log").read_text().splitlines()]


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


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with sink_into(tmp_path):
        yield tmp_path


def test_an_extra_that_logging_refuses_is_renamed(folder: Path) -> None:
    get_logger().info("x", extra={"name": "n", "message": "m", "args": 1})
    (line,) = messages(folder)
    assert (line["logger"], line["name_"], line["message_"], line["args_"]) == ("chatbot", "n", "m", 1)


def test_a_servers_request_lines_are_left_out_once_access_records_stand_for_them(folder: Path) -> None:
    werkzeug = logging.getLogger("werkzeug")
    before = werkzeug.level
    werkzeug.setLevel(logging.INFO)

    def serve() -> None:
        werkzeug.info('127.0.0.1 - - [23/Nov/2026 18:00:00] "%s" %s %s', "GET / HTTP/1.1", "200", "-")
        werkzeug.info(" * Running on http://127.0.0.1:5000")

    try:
        serve()
        replace_request_lines()
        serve()
    finally:
        werkzeug.setLevel(before)
    assert ["GET" in line["message"] for line in messages(folder)] == [True, False, False]


def test_a_listener_gets_every_record_once_also_without_propagation(folder: Path) -> None:
    seen: list[str] = []

    def listener(record: logging.LogRecord) -> None:
        seen.append(record.getMessage())

    sink.add_listener(listener)
    sink.add_listener(listener)
    lonely = get_logger("lonely.child")
    lonely.propagate = False
    try:
        lonely.info("one")
        get_logger().info("two")
    finally:
        lonely.propagate = True
    sink.remove_listener(listener)
    get_logger().info("three")
    assert seen == ["one", "two"]


def test_a_record_made_while_formatting_is_kept_and_does_not_loop(folder: Path) -> None:
    alone = get_logger("alone")
    alone.addHandler(logging.NullHandler())
    alone.propagate = False  # only the sink formats: any other handler would loop with or without it

    class Chatty:
        def __str__(self) -> str:
            alone.info("%s", Chatty())
            return "chatty"

    try:
        alone.info("%s", Chatty())
    finally:
        alone.propagate = True
    assert [line["message"] for line in messages(folder)] == ["chatty"] * 3
