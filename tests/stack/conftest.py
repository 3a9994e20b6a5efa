"""What the stack tests share: the environment with other tools, which is installed when a test asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.venvs import environment


@pytest.fixture(scope="session")
def extensions() -> Path:
    """The `bin` of an environment with Flask's usual extensions and other tools, beside the package."""
    return environment("extensions")
