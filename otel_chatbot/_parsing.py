"""How the text of a setting becomes its value. A text that cannot become one raises ValueError, which says what was expected.

Fed by the environment, through `config.Settings.from_env`; feeds the fields of `config.Settings`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

from .semconv import attributes as a
from .variables import resource

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def text(value: str) -> str:
    """The text itself."""
    return value


def flag(value: str) -> bool:
    """Whether the text says true or false."""
    lowered = value.strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError("expected true or false")


def flag_or(other: str) -> Callable[[str], str]:
    """A parser that takes `true`, `false` or one further word."""

    def parse(value: str) -> str:
        if value.strip().lower() == other:
            return other
        try:
            return str(flag(value)).lower()
        except ValueError:
            raise ValueError(f"expected true, false or {other}") from None

    return parse


def key(value: str) -> str:
    """A key to sign with: long enough that nobody guesses it."""
    if len(value.strip()) < 16:
        raise ValueError("expected at least 16 characters, such as those of `openssl rand -hex 32`")
    return value.strip()


def header(value: str) -> str:
    """The name of an HTTP header (RFC 9110, 5.1)."""
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", value.strip()):
        raise ValueError("expected the name of a header, such as X-Answer-Id")
    return value.strip()


def items(value: str) -> tuple[str, ...]:
    """The items between commas, without empty ones."""
    return tuple(item.strip() for item in value.split(",") if item.strip())


def patterns(value: str) -> tuple[str, ...]:
    """Regular expressions, separated by two semicolons (many expressions contain a comma); a wrong one is an error."""
    items = tuple(item.strip() for item in value.split(";;") if item.strip())
    for item in items:
        try:
            re.compile(item)
        except re.error as error:
            raise ValueError(f"{item!r} is not a regular expression: {error}") from None
    return items


def seconds(value: str) -> float:
    """Seconds, more than 0."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise ValueError("expected seconds, more than 0")
    return seconds


def size(value: str) -> int:
    """A whole number, more than 0."""
    return _whole(value, 1, 2**63, "expected a whole number, more than 0")


def port(value: str) -> int:
    """A port, 0 to 65535; 0 means none."""
    return _whole(value, 0, 65535, "expected a port, 0 to 65535")


def _whole(value: str, least: int, most: int, expected: str) -> int:
    """A whole number in a range; else an error in plain words, not in the words of `int`."""
    try:
        number = int(value)
    except ValueError:
        raise ValueError(expected) from None
    if not least <= number <= most:
        raise ValueError(expected)
    return number


def price_file(value: str) -> str:
    """The name of a file that holds prices. It is only checked here, and read again when calls are priced."""
    try:
        with open(value, encoding="utf-8") as file:
            given = json.load(file)
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise ValueError("the file is not JSON") from None
    wrong = [model for model, price in given.items() if not _has_prices(price)] if isinstance(given, dict) else ["model"]
    if wrong:
        raise ValueError(f'expected {{"{wrong[0]}": {{"input": 0.5, "output": 1.5}}}}, in US dollars per million tokens')
    return value


def _has_prices(given: object) -> bool:
    return isinstance(given, dict) and "input" in given and all(map(_is_price, given.values()))


def _is_price(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return False
    try:
        return 0 <= float(value) < float("inf")
    except (ValueError, OverflowError):
        return False


def choice(*allowed: str) -> Callable[[str], str]:
    """A parser that takes one of these, whatever the case."""

    def parse(value: str) -> str:
        for option in allowed:
            if value.strip().lower() == option.lower():
                return option
        raise ValueError(f"expected one of {', '.join(allowed)}")

    return parse


def zone(value: str) -> str:
    """The name of a time zone; UTC needs no database of zones."""
    name = value.strip()
    try:
        if name.upper() != "UTC":
            ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("expected the name of a time zone, such as UTC or Europe/Berlin") from None
    return name


def pairs(*sources: str) -> Callable[[str], tuple[str, ...]]:
    """A list of `source:name` items; an unknown source is an error."""

    def parse(value: str) -> tuple[str, ...]:
        found = items(value)
        for item in found:
            source, colon, name = item.partition(":")
            if source not in sources or not colon or not name:
                raise ValueError(f"{item!r} is not one of {', '.join(s + ':NAME' for s in sources)}")
        return found

    return parse


def version(value: str) -> str:
    return resource.attributes(value).get(a.SERVICE_VERSION, "")
