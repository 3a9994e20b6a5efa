"""Each rule finds what it is for, leaves what looks like it, and is not passed over for want of a marker."""

from __future__ import annotations

import pytest

from otel_chatbot.logs.patterns import DIGIT_RUN, RULES, iban_checksum, luhn, marked
from otel_chatbot.logs.redaction import Redactor

BY_NAME = {rule.name: rule for rule in RULES}
FOUND = {
    "connection string of a database": ("mongodb+srv://bob:p@ss@db/x", "mongodb+srv://****@db/x"),
    "credentials in a URL": ("https://bob:pw@example.com/a", "https://****@example.com/a"),
    "e-mail address": ("to alice%40example.com now", "to **** now"),
    "JSON web token": ("t eyJhbGciOi.eyJzdWI.sig_1 t", "t **** t"),
    "bearer token": ("BEARER 7f3a9c2e1b", "BEARER ****"),
    "key in a URL": ("GET http://a/b?key=abc end", "GET http://a/b?key=**** end"),
    "API key": ("key sk-abcdefghij0123 end", "key **** end"),
    "IBAN": ("to DE89 3704 0044 0532 0130 00 today", "to **** today"),
    "payment card": ("card 4111 1111 1111 1111.", "card ****."),
    "international phone number": ("call +49 30 123456 78", "call ****"),
    "national phone number": ("call (415) 555-0132", "call ****"),
    "value in a database's error": ('E11000 dup key: { email: "a" }', "E11000 dup key: ****"),
    "message of a model's endpoint": ("Error code: 400 - {'prompt': 'x'}", "Error code: 400 - ****"),
}
LEFT = {
    "connection string of a database": "mongodb://db:27017/x",
    "credentials in a URL": "https://example.com/a?b=c",
    "e-mail address": "decorated with @property.setter",
    "JSON web token": "eyJ is how one begins",
    "bearer token": "bearer authentication",
    "key in a URL": "http://a/b?cache_key=abc",
    "API key": "sk-short",
    "IBAN": "DE88 3704 0044 0532 0130 00",
    "payment card": "4111 1111 1111 1112",
    "international phone number": "+1 2 3 4 5 6",
    "national phone number": "415.555.013",
    "value in a database's error": "E11000 duplicate key error",
    "message of a model's endpoint": "Error code: 302 - moved",
}


def test_every_rule_has_an_example_of_each_side() -> None:
    assert set(FOUND) == set(LEFT) == set(BY_NAME)
    assert len(BY_NAME) == len(RULES)


@pytest.mark.parametrize("name", FOUND)
def test_a_rule_masks_what_it_is_for_and_its_text_is_not_passed_over(name: str) -> None:
    text, masked = FOUND[name]
    rule = BY_NAME[name]
    assert rule.pattern.sub(rule.replacement, text) == masked
    if rule.markers:
        assert any(marker in text for marker in rule.markers)
        assert marked(text)
    else:
        assert DIGIT_RUN.search(text)


@pytest.mark.parametrize("name", LEFT)
def test_a_rule_leaves_what_only_looks_like_it(name: str) -> None:
    rule = BY_NAME[name]
    assert rule.pattern.sub(rule.replacement, LEFT[name]) == LEFT[name]


@pytest.mark.parametrize("marker", sorted({marker for rule in RULES for marker in rule.markers}))
def test_the_written_out_markers_know_each_marker_of_the_rules(marker: str) -> None:
    assert marked(f"text {marker} text")


def test_a_fine_grained_token_of_github_is_masked_where_nothing_else_is_suspicious() -> None:
    assert Redactor().text(f"clone with github_pat_{'1Ab' * 12} please") == "clone with **** please"


def test_an_ordinary_line_is_not_marked() -> None:
    assert not marked("answered chat_id 42 in 0.35 seconds from cache")


def test_the_words_of_a_pipelines_error_stay_and_its_command_goes() -> None:
    rule = BY_NAME["value in a database's error"]
    told = rule.pattern.sub(rule.replacement, "Command # 3 (SET user:1 text) of pipeline caused error: x")
    assert told == "Command # 3 of pipeline caused error: x"


@pytest.mark.parametrize(("digits", "right"), [("79927398713", True), ("79927398710", False), ("0", True), ("59", True)])
def test_the_check_digit_of_a_card(digits: str, right: bool) -> None:
    assert luhn(digits) is right


@pytest.mark.parametrize(("number", "right"), [("GB82WEST12345698765432", True), ("GB28WEST12345698765432", False)])
def test_the_check_digits_of_an_account(number: str, right: bool) -> None:
    assert iban_checksum(number) is right
