"""Which part of an exception may be written: databases put documents and keys into messages, models' endpoints put prompts.

Fed by exceptions as they were raised; feeds the formatters, `LogOperation` and the export of spans and records.
Recognises the clients' errors by module and class name, so that no client is imported here.
"""

from __future__ import annotations

import re
import traceback
from types import TracebackType
from typing import TypeAlias

ExcInfo: TypeAlias = "tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None] | BaseException"

# A pipeline's error repeats its command: "Command # 1 (SET user:1 text) of pipeline caused error: ..." (redis/client.py,
# annotate_exception).
_PIPELINE_COMMAND = re.compile(r"Command # \d{1,9} ")
_CODE = re.compile(r"[a-z][a-z_]{1,63}")
"""Such as `context_length_exceeded` (openai/_exceptions.py: the endpoint's own code)."""
_ARGUMENTS = "with args beginning with: "
"""How Redis ends its answer to a command that it does not know."""
_FRAMES = 100
_LONGEST_STACK = 32_768


def safe_text(value: object) -> str:
    """`str(value)`, or a substitute if that raises."""
    try:
        return str(value)
    except Exception as error:
        return f"<unprintable {type(value).__name__}: {type(error).__name__}>"


def encodable(text: str) -> str:
    """A text that UTF-8 can hold: a lone surrogate becomes an escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def printable(number: int) -> int | str:
    """A number, or a short description if Python refuses to print it."""
    return number if number.bit_length() <= _MOST_BITS else f"<number of {number.bit_length()} bits>"


_MOST_BITS = 10_000
_PRIVATE = (("OperationFailure", "pymongo"), ("BSONError", "bson"), ("APIError", "openai"))
"""Classes, by name and package. Their messages, and those of their subclasses, repeat the application's data."""


def is_private(error: BaseException) -> bool:
    """Whether an exception's message repeats the application's data.

    That holds for pymongo's server errors, BSON's encoding errors, and what a model's endpoint answers, which may quote the
    prompt (content filters do).
    """
    return any(
        base.__name__ == name and (base.__module__ or "").startswith(package)
        for base in type(error).__mro__
        for name, package in _PRIVATE
    )


def is_told_apart(error: BaseException) -> bool:
    """Whether `safe_exception_message` may differ from the exception's own text."""
    return (type(error).__module__ or "").startswith("redis") or is_private(error)


def safe_exception_message(error: BaseException) -> str:
    """An exception's message, without the application's data: for errors that repeat it, only class and code."""
    if is_private(error):
        code = getattr(error, "code", None)
        told = [
            f"{what} {value}"
            for what, value in (("status", getattr(error, "status_code", None)), ("code", code))
            if _is_code(value)
        ]
        name = type(error).__name__
        return f"{name} ({', '.join(told)})" if told else name
    message = safe_text(error)
    if (type(error).__module__ or "").startswith("redis"):
        message = _without_arguments(message)
    return message


def _is_code(value: object) -> bool:
    """Whether a value is a number or a fixed name, and not a free text."""
    return isinstance(value, int) or (isinstance(value, str) and _CODE.fullmatch(value) is not None)


def _without_arguments(message: str) -> str:
    command = _PIPELINE_COMMAND.match(message)
    head, mark, tail = message.rpartition("of pipeline")
    if command and mark:
        message = f"{command[0]}{mark}{tail}"
    head, mark, _ = message.partition(_ARGUMENTS)
    return f"{head}{mark}****" if mark else message


def safe_stack(exc_info: ExcInfo) -> str:
    """A formatted traceback, chained causes and groups included, whose messages are those of `safe_exception_message`.

    At most 100 frames per exception and 32 Ki characters; of a longer traceback, the middle is left out.
    """
    error = exc_info if isinstance(exc_info, BaseException) else exc_info[1]
    if error is None:
        return ""
    trace = error.__traceback__ if isinstance(exc_info, BaseException) else exc_info[2]
    try:
        report = traceback.TracebackException(type(error), error, trace, limit=-_FRAMES, compact=True)
        _replace_messages(report, error)
        stack = "".join(report.format()).rstrip("\n")
    except Exception as failure:  # a broken __str__, __cause__ or __notes__: the line is written without its stack
        stack = f"{type(error).__name__} <no stack: {type(failure).__name__}>"
    if len(stack) > _LONGEST_STACK:
        half = _LONGEST_STACK // 2
        stack = f"{stack[:half]}\n... {len(stack) - 2 * half} characters left out ...\n{stack[-half:]}"
    return stack


def _replace_messages(report: traceback.TracebackException, error: BaseException) -> None:
    """Put the safe messages into a report and its chain. It follows the report, because the errors' chain may be endless."""
    todo: list[tuple[traceback.TracebackException | None, BaseException | None]] = [(report, error)]
    while todo:
        node, raised = todo.pop()
        if node is None or raised is None:
            continue
        # The one place where TracebackException keeps str(error), in 3.10 to 3.14; it has no public way to set it.
        node._str = safe_exception_message(raised)  # type: ignore[attr-defined]
        todo.append((node.__cause__, raised.__cause__))
        todo.append((node.__context__, raised.__context__))
        todo.extend(zip(getattr(node, "exceptions", None) or (), getattr(raised, "exceptions", None) or (), strict=False))
