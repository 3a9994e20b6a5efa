"""The price that is kept of a model is the library's own answer, for every model of its table and any usage."""

from __future__ import annotations

import random
from decimal import Decimal

import genai_prices
import pytest
from genai_prices import data

from otel_chatbot.instrumentation.genai import cost
from otel_chatbot.instrumentation.genai.cost import Usage, plain_price

MODELS = [(provider, model) for provider in data.providers for model in provider.models]


def listed(provider: str, model: str, usage: Usage) -> Decimal:
    tokens = genai_prices.Usage(input_tokens=usage.input, cache_read_tokens=usage.cached or None, output_tokens=usage.output)
    return genai_prices.calc_price(tokens, model, provider_id=provider).total_price


def found(provider: str, model: str) -> object:
    try:
        return genai_prices.calc_price(genai_prices.Usage(input_tokens=1), model, provider_id=provider).model
    except LookupError:
        return None


def test_the_kept_price_of_every_model_is_what_the_library_says() -> None:
    compared = 0
    chosen = random.Random(7)
    for provider, model in MODELS:
        price = plain_price(model)
        if price is None or found(provider.id, model.id) is not model:  # never found, or hidden by another of the provider
            continue
        most = chosen.choice((50, 5_000, 500_000, 5_000_000))
        usage = Usage(chosen.randrange(1, most), chosen.randrange(most))
        usage.cached = chosen.choice((0, chosen.randrange(usage.input), usage.input))
        assert price.of(usage) == listed(provider.id, model.id, usage), f"{provider.id}/{model.id}: {usage}"
        compared += 1
    assert compared > 1000


def test_a_price_with_tiers_or_dates_is_asked_of_the_library_each_time() -> None:
    [tiered] = [model for provider, model in MODELS if (provider.id, model.id) == ("google", "gemini-2.5-pro")]
    assert plain_price(tiered) is None
    for tokens in (1_000, 300_000):  # below the step of the price, and beyond it
        usage = Usage(tokens, 10)
        expected = listed("google", "gemini-2.5-pro", usage)
        assert cost.cost("google", "", ("gemini-2.5-pro",), usage) == expected


@pytest.mark.parametrize("usage", [Usage(1000, 20), Usage(1000, 20, 400), Usage(0, 0), Usage(5, 3, 5)])
def test_the_second_call_costs_what_the_first_one_did(usage: Usage) -> None:
    expected = listed("openai", "gpt-4o-mini", usage)
    for _ in range(2):
        assert cost.cost("openai", "", ("gpt-4o-mini",), usage) == expected


def test_tokens_that_cannot_be_have_no_price_also_when_the_model_is_known() -> None:
    assert cost.cost("openai", "", ("gpt-4o-mini",), Usage(10)) is not None
    assert cost.cost("openai", "", ("gpt-4o-mini",), Usage(10, 0, 20)) is None
