"""What the doctor prints for people: a verdict that speaks of what was looked at alone, what to do, signs and colours."""

from __future__ import annotations

import io
import os
import pty

import pytest

from otel_chatbot.cli.doctor.findings import Section, Status, failed, not_looked_at, warning, well
from otel_chatbot.cli.doctor.text import Style, as_text, verdict

PLAIN = Style(signs=True, color=False)
SECTIONS = [
    Section("a", (well("w", "fine"), failed("f", "wrong", "do it"), failed("g", "wrong too"))),
    Section("b", (warning("x", "meant?"), not_looked_at("n", "unknown", "ask"))),
    Section("c", (not_looked_at("m", "unknown too"),)),
]


def test_the_verdict_counts_what_it_speaks_of() -> None:
    assert verdict(SECTIONS) == "2 faults and 1 warning in 4 things looked at; 2 not looked at"
    assert verdict([Section("a", (well("w", "fine"),))]) == "no fault in 1 thing looked at; nothing was left out"


def test_faults_come_first_with_what_to_do_and_what_is_well_comes_last() -> None:
    assert as_text(SECTIONS, PLAIN).splitlines() == [
        "✗ 2 faults and 1 warning in 4 things looked at; 2 not looked at",
        "",
        "Faults: what to do",
        "  ✗ wrong",
        "      do it",
        "  ✗ wrong too",
        "",
        "Warnings: fine if they are meant",
        "  ! meant?",
        "",
        "Not looked at",
        "  - unknown",
        "      ask",
        "  - unknown too",
        "",
        "Looked at",
        "✗ a",
        "    fine",
        "! b",
    ]


@pytest.mark.parametrize(
    ("sections", "sign"), [(SECTIONS, "x"), (SECTIONS[1:], "!"), (SECTIONS[2:], "+")], ids=["fault", "warning", "well"]
)
def test_the_first_sign_is_the_worst_and_letters_stand_where_signs_cannot_be_written(
    sections: list[Section], sign: str
) -> None:
    text = as_text(sections, Style(signs=False, color=False))
    assert text.startswith(f"{sign} ")
    assert text.isascii()


def test_colour_is_around_signs_and_remedies_and_nothing_else() -> None:
    colored = Style(signs=True, color=True)
    assert colored.mark(Status.WELL) == "\x1b[32m✓\x1b[0m"
    lines = as_text(SECTIONS, colored).splitlines()
    assert lines[0].startswith("\x1b[31m✗\x1b[0m 2 faults")
    assert "\x1b[2m      do it\x1b[0m" in lines
    assert "    fine" in lines


@pytest.mark.parametrize(
    ("env", "color"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(env: dict[str, str], color: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    leader, follower = pty.openpty()
    try:
        with open(follower, "w", encoding="utf-8") as terminal:
            assert Style.of(terminal) == Style(signs=True, color=color)
    finally:
        os.close(leader)


def test_a_stream_that_says_nothing_of_itself_gets_letters_without_colour() -> None:
    assert Style.of(object()) == Style(signs=False, color=False)
    assert Style.of(io.TextIOWrapper(io.BytesIO(), encoding="cp1252")) == Style(signs=False, color=False)
    assert Style.of(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) == Style(signs=True, color=False)
