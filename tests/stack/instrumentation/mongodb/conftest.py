"""What the tests of MongoDB share: the instrumentation with and without sampled spans, a client and a database of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pymongo
import pytest
from pymongo import MongoClient
from support.databases import instrumented
from support.servers import MongoServer

from otel_chatbot.instrumentation.mongodb import hooks as instrumentation


@pytest.fixture(params=["always_on", "always_off"])
def sampler(request: pytest.FixtureRequest, capfd) -> Iterator[str]:
    with instrumented(instrumentation, request.param) as sampler:
        yield sampler
    assert "Traceback" not in capfd.readouterr().err, "pymongo prints what a listener raises"


@pytest.fixture
def client(sampler: str, mongo_server: MongoServer) -> Iterator[MongoClient]:
    with MongoClient(mongo_server.uri) as client:
        yield client


@pytest.fixture
def db(client: MongoClient) -> pymongo.database.Database:
    return client[f"chat{uuid.uuid4().hex[:12]}"]
