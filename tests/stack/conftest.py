"""What the stack tests share: the environment with other tools, which is installed when a test asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.extensions import environment


@pytest.fixture(scope="session")
def extensions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with Flask's usual extensions and other tools, beside the package."""
    return environment(tmp_path_factory.mktemp("wheel"))
