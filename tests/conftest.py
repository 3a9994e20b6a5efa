"""What every test shares: strict guards, real servers, free ports, a scale for `make proof`."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import pytest
from hypothesis import settings
from opentelemetry import context as otel_context

sys.path.insert(0, str(Path(__file__).parent))
# The tests' model servers tell tokens as OpenAI does: without this, the first stream would be sent unasked, to find that out.
os.environ.setdefault("CHATBOT_OTEL_AI_ADDRESSES", "127.0.0.1=openai")

from support.order import place
from support.servers import MongoServer, RedisServer

from otel_chatbot import _guard
from otel_chatbot.metrics.record import AUTOMATIC
from otel_chatbot.metrics.store import STORE
from otel_chatbot.testing import OtlpSink

SCALE = int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1"))


def pytest_configure() -> None:
    # A shell's background job ignores Ctrl-C, and so would every server that a test starts and ends by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _guard.Guard.strict = True
    # The same cases each time, and others in each `make proof`; no clock, for the machine may be busy.
    settings.register_profile("otel-chatbot", derandomize=SCALE == 1, deadline=None, database=None)
    settings.load_profile("otel-chatbot")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: place(item.path))  # after they were shuffled


@pytest.fixture(autouse=True, scope="module")
def begins_alone() -> None:
    """Clients that earlier modules threw away give their figures back now, and not while somebody counts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of what those have left open, this module knows nothing
        gc.collect()


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """What a test changes in the process is undone: sources of metrics, gauges set by hand, disabled loggers, the context."""
    context = otel_context.get_current()
    before = {name: copy(value) for name, value in vars(AUTOMATIC).items() if isinstance(value, (set, dict))}
    disabled = {name: logger.disabled for name, logger in loggers()}
    yield
    for name in AUTOMATIC.by_hand - before["by_hand"]:
        for series in STORE.instruments[name].series.values():
            series.reset()
    for name, value in before.items():
        setattr(AUTOMATIC, name, value)
    for name, logger in loggers():
        logger.disabled = disabled.get(name, False)
    otel_context.attach(context)


def loggers() -> list[tuple[str, logging.Logger]]:
    found = logging.Logger.manager.loggerDict.items()
    return [(name, logger) for name, logger in found if isinstance(logger, logging.Logger)]


@pytest.fixture(scope="session")
def scale() -> int:
    """1 in `make test`, larger in `make proof`: sizes of the tests that count to large numbers are multiplied by it."""
    return SCALE


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis on a free loopback port, for the whole session; flush it or use keys of your own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """A MongoDB wire-protocol server on a free loopback port, for the whole session; use a database of your own."""
    with MongoServer(tmp_path_factory.mktemp("mongo")) as server:
        yield server


@pytest.fixture
def otlp_sink() -> Iterator[OtlpSink]:
    """An OTLP/HTTP receiver on loopback."""
    with OtlpSink() as sink:
        yield sink
