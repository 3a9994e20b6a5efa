"""Values that OTLP cannot hold become text that says what they were; the others stay."""

from __future__ import annotations

import pytest

from otel_chatbot.distro.delivery.otlp_values import fit


@pytest.mark.parametrize(
    ("given", "fitting"),
    [
        (2**63 - 1, 2**63 - 1),
        (2**63, str(2**63)),
        (-(10**5000), "<number of 16610 bits>"),
        ({1: (True, 2.5, None, b"x")}, {"1": [True, 2.5, None, b"x"]}),
    ],
    ids=["a number", "a large one", "one that Python does not print", "inside"],
)
def test_a_value_fits(given: object, fitting: object) -> None:
    assert fit(given) == fitting


def test_half_a_surrogate_pair_leaves_the_rest_of_the_text() -> None:
    found = fit(["a\ud800b"])
    assert found[0].encode()
    assert (found[0][0], found[0][-1]) == ("a", "b")
