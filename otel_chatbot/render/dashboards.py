"""Grafana's dashboards as files.

Fed by the boards; feeds `grafana/dashboards/*.json`.
"""

from __future__ import annotations

from .boards import ai, databases, everything, overview, telemetry

BOARDS = (overview.BOARD, ai.BOARD, databases.BOARD, telemetry.BOARD, everything.BOARD)
"""Every dashboard."""


def files() -> dict[str, str]:
    """The committed files."""
    return {f"grafana/dashboards/{board.uid}.json": board.text() for board in BOARDS}
