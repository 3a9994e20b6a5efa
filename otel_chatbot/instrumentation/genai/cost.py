"""What a call of a model costs, by the user's own prices first, then by the dated table inside the library genai-prices.

Fed by the setting AI_PRICES (a file) and by the extra `genai`; feeds `genai.call`. Nothing is ever downloaded: the library
would do so only through `UpdatePrices`, which is never used here.

The file is a JSON object. Its keys are models, or `provider/model`; its values hold US dollars per million tokens:
`{"my-model": {"input": 0.5, "output": 1.5, "cached": 0.05}}`. `cached` is `input` where it is missing.
"""

from __future__ import annotations

import functools
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from ... import config
from ...semconv.logs import PACKAGE_LOGGER

_MILLION: Final = Decimal(1_000_000)
_CHARACTERS_A_TOKEN: Final = 4
"""The usual estimate for English text."""
_LONGEST_TOKEN: Final = 8
"""Chunks with more characters than this, on average, hold more than one token each."""
_IDS: Final = {"x_ai": "x-ai"}
"""The library's name of a provider, where it does not know the conventions'."""
_MOST_KEPT: Final = 1024
_unlisted: set[tuple[str, str, str]] = set()
"""Where the library's table, which is never updated here, has no such model."""
_logger = logging.getLogger(PACKAGE_LOGGER)


@dataclass
class Usage:
    """The tokens of one call.

    `cached`: those of the input that the provider had in its own cache; `written`: those that it put there, where that has a
    price.
    """

    input: int
    output: int = 0
    cached: int = 0
    written: int = 0


def estimate(asked: int, answered: int, chunks: int) -> Usage:
    """The tokens of an answer whose model has not told them: from the characters of question and answer, and the chunks it came in."""
    few = answered <= _LONGEST_TOKEN * chunks
    return Usage(math.ceil(asked / _CHARACTERS_A_TOKEN), chunks if few else math.ceil(answered / _CHARACTERS_A_TOKEN))


class Price(NamedTuple):
    """US dollars per million tokens, the same for each token."""

    input: Decimal
    output: Decimal
    cached: Decimal

    def of(self, usage: Usage) -> Decimal:
        """US dollars for these tokens."""
        fresh = usage.input - usage.cached
        return (fresh * self.input + usage.cached * self.cached + usage.output * self.output) / _MILLION


_plain: dict[tuple[str, str, str], Price] = {}
"""What the library's table says where a token has one price, by provider, address and model: asked once, for it takes its time."""


def cost(provider: str, url: str, models: tuple[str, ...], usage: Usage) -> Decimal | None:
    """US dollars for a call; None where no price is known. The first of the models' names that has a price counts.

    `url` is the endpoint: it tells the provider where one client speaks to many.
    """
    price = _own_price_of(config.current().ai_prices, provider, models)
    if price is not None:
        return price.of(usage)
    for model in models:
        plain = _plain.get((provider, url, model))
        if plain is not None and 0 <= usage.cached <= usage.input and usage.output >= 0 and not usage.written:
            return plain.of(usage)
        found = _listed(provider, url, model, usage)
        if found is not None:
            return found
    return None


@functools.lru_cache(maxsize=_MOST_KEPT)
def _own_price_of(path: str, provider: str, models: tuple[str, ...]) -> Price | None:
    own = _own_prices(path)
    found = (own.get(f"{provider}/{model}") or own.get(model) for model in models)
    return next((price for price in found if price is not None), None)


def _listed(provider: str, url: str, model: str, usage: Usage) -> Decimal | None:
    library = _library()
    if library is None:
        return None
    for kind, value in (("provider_api_url", url), ("provider_id", _IDS.get(provider, provider))):
        place = (kind, value, model)
        if place in _unlisted:
            continue
        tokens = library.Usage(
            input_tokens=usage.input,
            output_tokens=usage.output,
            cache_read_tokens=usage.cached or None,
            cache_write_tokens=usage.written or None,
        )
        try:
            found = library.calc_price(tokens, model, **{kind: value})
        except LookupError:  # no such provider or model: found out by a search through all of them
            if len(_unlisted) < _MOST_KEPT:
                _unlisted.add(place)
            continue
        except ValueError:  # tokens that the table cannot price
            continue
        price = plain_price(found.model)
        if price is not None and len(_plain) < _MOST_KEPT:
            _plain[provider, url, model] = price
        total: Decimal = found.total_price
        return total
    return None


def plain_price(model: Any) -> Price | None:
    """The price of a model of the library's table where it is the same at any time, for any number of tokens, for any call."""
    prices = model.prices
    if isinstance(prices, list):  # by date or time of day
        return None
    fresh, output, cached, call = prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.requests_kcount
    cached = fresh if cached is None else cached
    if call is not None or not all(isinstance(price, Decimal) for price in (fresh, output, cached)):
        return None
    return Price(fresh, output, cached)


@functools.lru_cache(maxsize=1)
def _library() -> Any:
    try:
        import genai_prices
    except ImportError:
        _logger.info(
            "AI calls have no price: install otel-chatbot[genai] (Python 3.11 or newer), or set CHATBOT_OTEL_AI_PRICES"
        )
        return None
    return genai_prices


@functools.lru_cache(maxsize=4)
def _own_prices(path: str) -> Mapping[str, Price]:
    if not path:
        return {}
    try:
        given = json.loads(Path(path).read_text(encoding="utf-8"))
        return {str(name): _own_price(price) for name, price in given.items()}
    except (OSError, ValueError, ArithmeticError, KeyError, TypeError, AttributeError) as error:
        expected = '{"model": {"input": 0.5, "output": 1.5}}, US dollars for a million tokens'
        config.warn_of_file("AI_PRICES", path, error, f"{expected}; the library's prices alone are used")
        return {}


def _own_price(given: Mapping[str, Any]) -> Price:
    return Price(_dollars(given["input"]), _dollars(given.get("output", 0)), _dollars(given.get("cached", given["input"])))


def _dollars(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"{value!r} is no price")
    dollars = Decimal(str(value))
    if not dollars.is_finite() or dollars < 0:
        raise ValueError(f"{value!r} is no price")
    return dollars
