"""One policy for personal and secret data: values of sensitive keys are masked, and so is text that matches a pattern.

Fed by `logs.patterns` and the settings REDACT_KEYS and REDACT_PATTERNS; feeds the formatters, and in `distro` the
exporters of spans and records. Text that holds nothing suspicious costs only a few substring searches.
"""

# ruff: noqa: SIM905 - lists of words read best as words
from __future__ import annotations

import functools
import logging
import math
import re
from collections.abc import Mapping
from typing import Any

from .. import config
from ..config import MASK, Settings
from ..semconv import attributes as a
from .errors import encodable, printable
from .escapes import CSI, ESCAPE, without_escapes
from .patterns import DIGIT_RUN, RULES, marked
from .traversal import LONGEST_TEXT, Traversal

_REMEMBERED_KEYS = 4_096
_FEW = 16
"""How many items of a list are checked one by one."""
_LONGEST_REMEMBERED = 256
_MOST_CLEARED, _LONGEST_CLEARED = 512, 64
INT64 = 2**63
"""OTLP can hold only integers below this one."""
_EXCEPTION_TEXTS = frozenset({a.EXCEPTION_MESSAGE, a.EXCEPTION_STACKTRACE})

# A key is sensitive if it contains one of these words ...
_WORDS = frozenset(
    "password passwd pwd passphrase passcode secret secrets credential credentials authorization cookie "
    "cookies jwt cvv cvc ssn".split()
)
# ... or when it is, or ends with, one of these: `tokens`, `token_count` and `cache_key` are figures and names, not secrets.
_ENDINGS = frozenset(
    "token api_key apikey access_key private_key signing_key encryption_key session_key auth api_token csrf xsrf otp "
    "card_number credit_card iban connection_string csrftoken sessionid".split()
)
_TEXT_HINTS = ("pass", "pwd", "secret", "token", "auth", "cookie", "key", "credential", "jwt", "cvv", "cvc", "ssn")

# `key=value`, `"key": "value"`, `key: value`, `--key=value`; the key is judged by `Redactor.sensitive`.
_ASSIGNMENT = re.compile(
    r"(?<![\w.-])(?P<option>-{0,2})(?P<key>[A-Za-z][\w.-]{1,63})(?P<gap>\\?[\"']?(?:\s{0,3}[=:]|%3D)\s{0,3})"
    r"(?P<value>[rbuf]{0,2}(?:\\?\"(?:[^\"\\]|\\.){0,4096}\\?\"|'(?:[^'\\]|\\.){0,4096}')|[^\s,;&)}\]\"']{1,4096})"
)
_HEADERS = re.compile(r"((?i:\b(?:proxy-)?authorization|\b(?:set-)?cookie)\s{0,3}[:=]\s{0,3})([^\r\n\"'}]{1,4096})")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_MARKED = tuple(rule for rule in RULES if rule.markers)
_NUMBERS = tuple(rule for rule in RULES if not rule.markers)
# Exceptions whose messages repeat documents or prompts, as `exception.type` names them.
_PRIVATE_TYPES = re.compile(
    r"(?:(?:pymongo|bson)\.(?:\w+\.)*(?:OperationFailure|CursorNotFound|ExecutionTimeout|WriteConcernError|WriteError|"
    r"WTimeoutError|DuplicateKeyError|BulkWriteError|ClientBulkWriteException|InvalidDocument|DocumentTooLarge|BSONError|"
    r"InvalidBSON|InvalidStringData)|"
    r"openai\.(?:\w+\.)*(?:API\w*Error|BadRequestError|AuthenticationError|PermissionDeniedError|NotFoundError|ConflictError|"
    r"UnprocessableEntityError|RateLimitError|InternalServerError))"
)


class Redactor:
    """Masks what the policy finds, in texts, in values by their key, and deep in mappings and lists."""

    def __init__(self, keys: tuple[str, ...] = (), patterns: tuple[re.Pattern[str], ...] = ()) -> None:
        self._own_keys = tuple(_normal(key) for key in keys)
        self._own_patterns = patterns
        self._hints = (*_TEXT_HINTS, *(word for key in self._own_keys for word in key.split("_")))
        self._known: dict[str, bool] = {}
        self.ordinary: set[str] = set()
        """Names of fields that need neither a mask nor a new name: a shortcut for the formatter."""
        self._harmless: set[str] = set()
        self._cleared: set[str] = set()
        """Short texts that look suspicious but hold nothing to mask: ids with many digits come again and again."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Redactor:
        """The policy with the settings' further keys and patterns; a pattern that does not compile is named and left out."""
        patterns = []
        for source in settings.redact_patterns:
            try:
                patterns.append(re.compile(source))
            except re.error as error:
                logging.getLogger("otel_chatbot").warning(
                    "REDACT_PATTERNS: %r is not used, it is not a regular expression: %s", source, error
                )
        return cls(settings.redact_keys, tuple(patterns))

    def sensitive(self, key: str) -> bool:
        """Whether a key's name says that its value is a secret."""
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED_KEYS:  # keys may come from outside; they must not fill the memory
                self._known.clear()
            known = self._known[key] = self._judge(key)
        return known

    def remember(self, name: str) -> None:
        """Treat a field's name as ordinary from now on."""
        if len(self.ordinary) < _REMEMBERED_KEYS:
            self.ordinary.add(name)

    def _judge(self, key: str) -> bool:
        normal = _normal(key[:256])
        words = normal.split("_")
        if not _WORDS.isdisjoint(words):
            return words[-1] not in {"type", "count", "length", "status", "method", "name"}
        padded = f"_{normal}_"
        return any(padded.endswith(f"_{ending}_") for ending in _ENDINGS) or any(f"_{own}_" in padded for own in self._own_keys)

    def suspicious(self, text: str) -> bool:
        """Whether a rule could match. It is cheap, and is also true for some texts in which no rule matches."""
        return (
            ESCAPE in text
            or CSI in text
            or marked(text)
            or DIGIT_RUN.search(text) is not None
            or (("=" in text or ":" in text or "%3D" in text) and self._names_secret(text))
            or bool(self._own_patterns)
        )

    def _names_secret(self, text: str) -> bool:
        lowered = text.lower()
        for hint in self._hints:  # noqa: SIM110 - any() would make a generator for every line
            if hint in lowered:
                return True
        return False

    def text(self, text: str) -> str:
        """A text in which all matches of patterns and the values of sensitive keys are masked; terminal codes are removed."""
        if text in self._cleared or not self.suspicious(text):
            return text
        found = self._masked(text)
        if found == text and len(text) <= _LONGEST_CLEARED:
            if len(self._cleared) >= _MOST_CLEARED:
                self._cleared.clear()
            self._cleared.add(text)
        return found

    def _masked(self, text: str) -> str:
        text = without_escapes(text)  # first: a colour in the middle must not hide a secret from the patterns
        for rule in _MARKED:
            if any(marker in text for marker in rule.markers):
                text = rule.pattern.sub(rule.replacement, text)
        if DIGIT_RUN.search(text):
            text = self._numbers(text)
        if ("=" in text or ":" in text or "%3D" in text) and self._names_secret(text):
            text = _HEADERS.sub(rf"\1{MASK}", text)
            text = _ASSIGNMENT.sub(self._mask_assignment, text)
        for pattern in self._own_patterns:
            text = pattern.sub(MASK, text)
        return text

    @staticmethod
    def _numbers(text: str) -> str:
        for rule in _NUMBERS:
            text = rule.pattern.sub(rule.replacement, text)
        return text

    def _mask_assignment(self, match: re.Match[str]) -> str:
        if not self.sensitive(match["key"]) or match["value"] == MASK:
            return match[0]
        value = match["value"]
        quote = value[-1] if value[-1] in "\"'" else ""
        return f"{match['option']}{match['key']}{match['gap']}{quote}{MASK}{quote}"

    def bounded(self, text: str) -> str:
        """A redacted text of at most 32 Ki characters; it says how many were left out."""
        if len(text) <= LONGEST_TEXT:
            return self.text(text)
        # Mask first, then cut: half a secret would not match. Text far beyond the cut need not be checked.
        kept = self.text(text[: LONGEST_TEXT + 8_192])[:LONGEST_TEXT]
        return f"{kept}... {len(text) - LONGEST_TEXT} characters left out"

    def attribute(self, key: str, value: Any, exception_type: object = None) -> Any:
        """A span's or an exported record's attribute; `exception_type` is the `exception.type` beside it, if any.

        Databases' errors lose their message, as in `logs.errors`; a stack keeps its frames.
        """
        if key == a.EXCEPTION_MESSAGE and isinstance(exception_type, str) and _PRIVATE_TYPES.fullmatch(exception_type):
            return exception_type.rpartition(".")[2]
        if key == a.EXCEPTION_STACKTRACE and isinstance(value, str):
            value = _PRIVATE_LINE.sub(r"\1", value)
        return self.value(key, value)

    def value(self, key: str, value: Any) -> Any:
        """A value as JSON can hold it: masked by its key, its texts redacted, within limits of depth, width and length."""
        if self.sensitive(key):
            return value if value is None or isinstance(value, bool) else MASK
        kind = type(value)
        if kind is str:
            return self.bounded(value)
        if kind is bool or value is None:
            return value
        if kind is int:
            return printable(value)
        if kind is float:
            return value if math.isfinite(value) else str(value)
        return Traversal(self).plain(value, 0)

    def leaves(self, attributes: Mapping[str, Any]) -> bool:
        """Whether `attribute` would return all of these unchanged and they can be sent. Quick for values that it knows."""
        known, harmless = self._known, self._harmless
        for key, value in attributes.items():
            if key in _EXCEPTION_TEXTS or (known.get(key, True) and self.sensitive(key)):
                return False
            if (type(value) is not str or value not in harmless) and not self._leaves_value(value):
                return False
        return True

    def _leaves_value(self, value: Any) -> bool:
        kind = type(value)
        if kind is str:
            return self.harmless(value)
        if kind is int:
            return bool(-INT64 <= value < INT64)
        if kind is float:
            return math.isfinite(value)
        if kind is tuple:
            return len(value) <= _FEW and all(type(item) is str and self.harmless(item) for item in value)
        return kind is bool

    def harmless(self, text: str) -> bool:
        """Whether a short text has nothing to mask and can be sent as it is."""
        if text in self._harmless:
            return True
        if len(text) > _LONGEST_REMEMBERED or encodable(self.text(text)) != text:
            return False
        if len(self._harmless) >= _REMEMBERED_KEYS:
            self._harmless.clear()
        self._harmless.add(text)
        return True

    def mapping(self, mapping: Mapping[Any, Any]) -> dict[str, Any]:
        """A mapping, redacted deep; see `value`."""
        plain = Traversal(self).plain(mapping, 0)
        return plain if isinstance(plain, dict) else {"value": plain}


# The line of a formatted stack that holds such an exception's message, up to the next frame or exception of the chain.
_PRIVATE_LINE = re.compile(
    rf"^([ |]{{0,64}}{_PRIVATE_TYPES.pattern})(?::[^\n]*)(?:\n(?!\n|[ |]{{0,64}}Traceback|[ |+-]*$|[\w.]{{1,256}}(?::|$)).*)*",
    re.MULTILINE,
)


def _normal(key: str) -> str:
    """A key's words in lower case, joined by underscores: `X-Api-Key` and `xApiKey` are both `x_api_key`."""
    return _NOT_WORD.sub("_", _CAMEL.sub("_", key).lower()).strip("_")


@functools.lru_cache(maxsize=1)
def policy() -> Redactor:
    """The process's policy, made from its settings at the first call."""
    return Redactor.from_settings(config.current())
