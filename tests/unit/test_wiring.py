"""Every question that a lower room asks has its answer, and none while nobody can know it."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.trace import NoOpTracer
from support.process import clean_env

from otel_chatbot import _wiring
from otel_chatbot._wiring import Question


@pytest.mark.parametrize("question", _wiring.QUESTIONS, ids=lambda question: f"{question.module}.{question.function}")
def test_the_function_that_answers_a_question_is_there_and_takes_what_the_question_brings(question: Question[Any]) -> None:
    function = getattr(importlib.import_module(question.module), question.function, None)
    assert callable(function), f"otel_chatbot/_wiring.py names {question.module}.{question.function}, which is not there"
    about: list[object] = [{}] if question is _wiring.UNREAD_DOCUMENTS else []
    if question is _wiring.LIGHT_SPANS:
        about = [NoOpTracer(), False]
    elif question is _wiring.CALL_COST:
        about = [("gpt-4o",), None, 42]
    inspect.signature(function).bind(*about)


def test_every_question_is_in_the_list() -> None:
    assert {id(found) for found in vars(_wiring).values() if isinstance(found, Question)} == set(map(id, _wiring.QUESTIONS))


def test_nobody_answers_while_the_answering_module_is_not_imported_and_asking_imports_none() -> None:
    code = """
import sys
from otel_chatbot import _wiring
asked = [question for question in _wiring.QUESTIONS if question is not _wiring.SET_UP]
assert [question() for question in asked] == [None] * len(asked)
assert not [question.module for question in asked if question.module in sys.modules]
assert not _wiring.Configured.done
_wiring.ensure_configured()
assert _wiring.Configured.done and "otel_chatbot.distro" in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=clean_env(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_the_package_counts_as_set_up_only_after_the_set_up_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wiring.Configured, "done", False)
    seen: list[bool] = []
    monkeypatch.setattr(_wiring, "SET_UP", lambda: seen.append(_wiring.Configured.done))
    _wiring.ensure_configured()
    _wiring.ensure_configured()
    assert seen == [False], "asked once, and other threads were still waiting then"
