"""The token of an answer: what goes in comes out, and nothing that was changed, signed elsewhere or is too old."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_chatbot.quality.token import LONGEST, LONGEST_TOKEN, Answer, Flaw, SigningKey, read, sign

KEY = SigningKey(b"k" * 32)
NOW = 1_800_000_000
ANSWER = Answer(b"t" * 16, b"s" * 8, 1, "gpt-4o-mini", "1.4.2", "chatcmpl-7", NOW)
TOKEN = sign(ANSWER, KEY)
texts = st.text(max_size=80)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8), st.integers(0, 255), texts, texts, texts)
def test_what_is_signed_is_read_again_however_long_its_names_are(
    trace_id: bytes, span_id: bytes, flags: int, model: str, release: str, response_id: str
) -> None:
    answer = Answer(trace_id, span_id, flags, model, release, response_id, NOW)
    signed = sign(answer, KEY)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", signed)
    assert len(signed) <= LONGEST_TOKEN
    found = read(signed, KEY, NOW, 10)
    assert isinstance(found, Answer)
    assert found[:3] == answer[:3]
    for kept, whole in zip(found[3:6], answer[3:6], strict=True):
        clean = whole.encode("utf-8", "replace").decode()
        assert clean.startswith(kept)
        assert kept == clean or len(clean.encode()) > LONGEST


def test_a_usual_token_is_short() -> None:
    assert len(sign(ANSWER._replace(response_id=""), KEY)) < 100


def test_a_token_that_was_changed_anywhere_is_forged_or_foreign() -> None:
    for place, was in enumerate(TOKEN):
        changed = TOKEN[:place] + ("A" if was != "A" else "B") + TOKEN[place + 1 :]
        assert read(changed, KEY, NOW, 10) in (Flaw.FORGED, Flaw.FOREIGN), place
    raw = bytearray(base64.urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4)))
    raw[30] ^= 1  # in the span's id: the key's name stays
    assert read(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), KEY, NOW, 10) is Flaw.FORGED


@given(st.one_of(st.text(max_size=200), st.none(), st.integers(), st.binary(max_size=200), st.lists(st.text(max_size=3))))
def test_what_is_no_token_is_forged_whatever_it_is(anything: object) -> None:
    assert isinstance(read(anything, KEY, NOW, 10), Flaw)


@pytest.mark.parametrize("more", ["=", "==", "\n", " ", "A", "+", "."])
def test_an_answer_has_one_token_only(more: str) -> None:
    assert read(TOKEN + more, KEY, NOW, 10) is Flaw.FORGED
    assert read(more + TOKEN, KEY, NOW, 10) in (Flaw.FORGED, Flaw.FOREIGN)


def test_a_token_of_another_key_is_foreign_and_names_no_key() -> None:
    other = SigningKey(b"o" * 32)
    assert read(TOKEN, other, NOW, 10) is Flaw.FOREIGN
    assert b"k" * 8 not in base64.urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4))


@pytest.mark.parametrize(("later", "taken"), [(0, True), (10, True), (11, False), (-200, True), (-301, False)])
def test_an_answer_can_be_rated_for_its_lifetime(later: int, taken: bool) -> None:
    assert isinstance(read(TOKEN, KEY, NOW + later, 10), Answer) is taken
    if not taken:
        assert read(TOKEN, KEY, NOW + later, 10) is Flaw.EXPIRED
