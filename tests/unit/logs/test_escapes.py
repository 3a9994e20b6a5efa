"""No terminal code reaches a file or a collector, wherever it stands in a record."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from otel_chatbot.logs.escapes import without_escapes
from otel_chatbot.logs.formatters import ColoredFormatter, JsonFormatter, TextFormatter
from otel_chatbot.logs.records import export_copy
from otel_chatbot.logs.redaction import Redactor

RED, OFF = "\x1b[31m", "\x1b[0m"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (f"{RED}no{OFF}", "no"),
        ("\x1b[1m\x1b[38;5;208mbold orange\x1b[0m\x1b[39m", "bold orange"),
        ("\x1b[38;2;1;2;3mtrue\x1b[m", "true"),
        ("\x9b31meight bits\x9b0m", "eight bits"),
        ("\x1b]8;;https://example.com\x1b\\a link\x1b]8;;\x1b\\", "a link"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b[2K\x1b[1Gprogress", "progress"),
        ("\x1b(Bset\x1b=", "set"),
        ("cut \x1b[3", "cut "),
        ("alone \x1b", "alone "),
        ("an arrow [0m and \\x1b[0m stay", "an arrow [0m and \\x1b[0m stay"),
    ],
)
def test_control_sequences_go_and_what_they_enclose_stays(text: str, plain: str) -> None:
    assert without_escapes(text) == plain


def record() -> logging.LogRecord:
    try:
        raise ValueError(f"{RED}broke{OFF}")
    except ValueError:
        info = sys.exc_info()
    made = logging.LogRecord("werkzeug", logging.INFO, "f.py", 1, f'{RED}"%s" %s{OFF}', ("GET /\x1b[33m/x", 404), info)
    made.levelname = f"{RED}INFO{OFF}"
    made.stack_info = f"Stack:\n{RED}here{OFF}"
    made.__dict__.update({f"{RED}key{OFF}": "v", "deep": {"list": [f"{RED}x{OFF}"]}, "text": f"{RED}y{OFF}"})
    return made


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter(), ColoredFormatter(color=False)])
def test_no_line_holds_a_terminals_code(formatter: logging.Formatter) -> None:
    text = formatter.format(record())
    assert "\x1b" not in text
    assert "\\u001b" not in text
    assert '"GET //x\\" 404' in text or '"GET //x" 404' in text


def test_a_json_line_has_every_part_without_its_colours() -> None:
    line = json.loads(JsonFormatter().format(record()))
    assert (line["level"], line["message"], line["exception"]["message"]) == ("INFO", '"GET //x" 404', "broke")
    assert (line["key"], line["deep"], line["text"]) == ("v", {"list": ["x"]}, "y")


def test_an_exported_record_holds_no_terminals_code() -> None:
    copy = export_copy(record(), Redactor())
    assert "\x1b" not in repr(vars(copy))
    assert (copy.levelname, copy.getMessage()) == ("INFO", '"GET //x" 404')


def test_a_colour_inside_a_secret_does_not_hide_it() -> None:
    made = logging.LogRecord("a", logging.INFO, "f.py", 1, f"pass{RED}word={OFF}hunter2 al{RED}ice@example.com", None, None)
    assert json.loads(JsonFormatter().format(made))["message"] == "password=**** ****"


def test_the_formatters_colours_can_be_seen_and_chosen() -> None:
    class Blue(ColoredFormatter):
        COLORS = {**ColoredFormatter.COLORS, "INFO": "\x1b[34m"}

    made = logging.LogRecord("a", logging.INFO, "f.py", 1, "m", None, None)
    assert "\x1b[34mINFO    \x1b[0m" in Blue(color=True).format(made)
    assert set(ColoredFormatter.COLORS) == {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
    assert f"{ColoredFormatter.COLORS['INFO']}INFO    {ColoredFormatter.RESET}" in ColoredFormatter(color=True).format(made)
