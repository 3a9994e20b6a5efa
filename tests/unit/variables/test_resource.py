"""OTEL_RESOURCE_ATTRIBUTES is decoded once, and what cannot be decoded is told of with the way to write it."""

from __future__ import annotations

import pytest

from otel_chatbot.variables import resource


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("a=%C3%A9,b=1%2B2, c = d ", {"a": "é", "b": "1+2", "c": "d"}),
        ("a=%2525", {"a": "%25"}),
        ("a=b=c,,d", {"a": "b=c"}),
        ("a=100%,b=%zz", {"a": "100%", "b": "%zz"}),
        ("a=,=b", {"a": ""}),
        ("", {}),
    ],
)
def test_resource_attributes_are_decoded_once(text: str, attributes: dict[str, str]) -> None:
    assert resource.attributes(text) == attributes


@pytest.mark.parametrize("text", ["", "a=b", "a=,b=%2C,", "a=b=c", " a = %41 "])
def test_pairs_with_good_escapes_have_no_problem(text: str) -> None:
    assert resource.check(text, {}) is None


def test_an_item_that_is_no_pair_is_left_out_and_the_others_stay() -> None:
    problem = resource.check("a, b=c ,=d,e=100%", {})
    assert problem is not None
    assert problem.why == "'a' is not a key=value pair; '=d' is not a key=value pair; the value of 'e' has a bad escape"
    assert problem.instead == " b=c ,e=100%"
    nothing_left = resource.check("a", {})
    assert nothing_left is not None
    assert nothing_left.instead is None


@pytest.mark.parametrize("value", ["100%", "%zz", "%4", "%ff"])
def test_a_bad_escape_stays_as_it_is_written_and_the_remedy_says_how_to_write_it(value: str) -> None:
    problem = resource.check(f"a={value}", {})
    assert problem is not None
    assert (problem.why, problem.instead) == ("the value of 'a' has a bad escape", None)
    assert problem.kept == "it stays as it is written"
    assert "%25 for a percent sign" in problem.remedy
