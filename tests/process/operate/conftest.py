"""What the tests of deploying share: locks of two versions, and the folder of the environments made of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.operate import Locks


@pytest.fixture(scope="module")
def locks(tmp_path_factory: pytest.TempPathFactory) -> Locks:
    return Locks(tmp_path_factory.mktemp("locks"))


@pytest.fixture(scope="module")
def venvs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("venvs")
