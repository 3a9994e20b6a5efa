"""The text of a setting becomes its value, or an error that says what was expected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_chatbot import _parsing

PLACES = _parsing.pairs("header", "json")
LEVEL = _parsing.choice("DEBUG", "INFO")


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (_parsing.flag, " On ", True),
        (_parsing.flag, "1", True),
        (_parsing.flag, "YES", True),
        (_parsing.flag, "off", False),
        (_parsing.flag, "0", False),
        (_parsing.flag, "No", False),
        (_parsing.flag_or("auto"), " AUTO", "auto"),
        (_parsing.flag_or("auto"), "Yes", "true"),
        (_parsing.flag_or("auto"), "0", "false"),
        (_parsing.items, " a, ,b ,", ("a", "b")),
        (_parsing.patterns, r"\d{1,3} ;; ;;b", (r"\d{1,3}", "b")),
        (_parsing.seconds, "0.25", 0.25),
        (_parsing.size, " 7 ", 7),
        (_parsing.port, "0", 0),
        (_parsing.port, "65535", 65535),
        (LEVEL, " info", "INFO"),
        (PLACES, "header:X-User, json:a:b", ("header:X-User", "json:a:b")),
        (_parsing.version, "service.name=bot,service.version=1%2B2", "1+2"),
        (_parsing.version, "service.name=bot", ""),
        (_parsing.text, " as it is ", " as it is "),
    ],
)
def test_a_text_becomes_the_value_that_it_writes(parse: Callable[[str], Any], text: str, value: object) -> None:
    assert parse(text) == value
    assert type(parse(text)) is type(value)


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (_parsing.flag, "perhaps", "expected true or false"),
        (_parsing.flag_or("auto"), "perhaps", "expected true, false or auto"),
        (_parsing.patterns, "a;;(", r"'\(' is not a regular expression: missing \)"),
        *((_parsing.seconds, text, "expected seconds, more than 0") for text in ("0", "-1", "5s", "nan", "inf", "1e9")),
        *((_parsing.size, text, "expected a whole number, more than 0") for text in ("0", "1.5", "many", str(2**63 + 1))),
        *((_parsing.port, text, "expected a port, 0 to 65535") for text in ("-1", "65536", "http")),
        (LEVEL, "TRACE", "expected one of DEBUG, INFO"),
        (PLACES, "header:a,cookie:b", "'cookie:b' is not one of header:NAME, json:NAME"),
        (PLACES, "header", "'header' is not one of"),
        (PLACES, "header:", "'header:' is not one of"),
    ],
)
def test_a_text_that_is_no_value_is_refused_with_what_was_expected(parse: Callable[[str], Any], text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        parse(text)
    assert raised.value.__suppress_context__ or raised.value.__cause__ is None, "no words of Python's own parsers"


@pytest.mark.parametrize(
    "prices",
    [{}, {"m": {"input": 0.5, "output": 1}}, {"m": {"input": "0.5"}, "other": {"input": 0, "cached": 2}}],
)
def test_a_file_of_prices_is_taken_by_its_name(tmp_path: Path, prices: object) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(prices), encoding="utf-8")
    assert _parsing.price_file(str(path)) == str(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no json", "the file is not JSON"),
        ("[" * 100_000, "the file is not JSON"),
        ("[1]", r'expected \{"model": \{"input": 0.5'),
        ('{"good": {"input": 1}, "bad": {"output": 1}}', r'expected \{"bad": '),
        ('{"bad": {"input": true}}', r'expected \{"bad": '),
        ('{"bad": {"input": -1}}', r'expected \{"bad": '),
        ('{"bad": {"input": 1, "output": NaN}}', r'expected \{"bad": '),
        ('{"bad": {"input": 1, "output": "dear"}}', r'expected \{"bad": '),
        ('{"bad": {"input": 1' + "0" * 400 + "}}", r'expected \{"bad": '),
        ('{"bad": 1}', r'expected \{"bad": '),
    ],
)
def test_a_file_without_prices_is_refused_with_the_first_model_that_is_wrong(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        _parsing.price_file(str(path))


def test_a_file_of_prices_that_cannot_be_read_is_refused_with_the_systems_reason(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the file cannot be read: No such file or directory"):
        _parsing.price_file(str(tmp_path / "nowhere.json"))
