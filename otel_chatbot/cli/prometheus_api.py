"""Questions to a Prometheus server over its HTTP API.

Fed by `compare` and `doctor.signals`; feeds them figures. Mimir, Thanos and other servers with this API answer too.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

_SECONDS = 30.0


class PrometheusError(Exception):
    """Why there is no answer."""


class PrometheusApi:
    """A server by its address, such as http://localhost:9090."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise PrometheusError(f"{url} is not the address of a Prometheus: expected one like http://localhost:9090")
        self._url = url.rstrip("/")

    def vector(self, expression: str, at: float | None = None) -> list[tuple[dict[str, str], float]]:
        """Labels and values of an expression, now or at a time in seconds since 1970."""
        found = self._ask("query", query=expression, **({} if at is None else {"time": f"{at:.3f}"}))
        return [(one["metric"], float(one["value"][1])) for one in found["result"]]

    def value(self, expression: str, at: float | None = None) -> float | None:
        """The first value of an expression; None where it has none, or is not a number."""
        found = [value for _, value in self.vector(expression, at) if value == value]  # noqa: PLR0124 - NaN is not itself
        return found[0] if found else None

    def series(self, expression: str, start: float, end: float, step: float) -> list[tuple[dict[str, str], list[float]]]:
        """Labels, and the times at which an expression had a value, of each series between two times."""
        found = self._ask("query_range", query=expression, start=f"{start:.3f}", end=f"{end:.3f}", step=f"{step:g}")
        return [(one["metric"], [float(time) for time, _ in one["values"]]) for one in found["result"]]

    def _ask(self, path: str, **parameters: str) -> Any:
        request = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - checked in __init__
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise PrometheusError(
                    f"{self._url} answers {error.code}: {error.read(500).decode('utf-8', 'replace')}"
                ) from error
        except (OSError, ValueError, KeyError) as error:
            raise PrometheusError(f"{self._url} does not answer: {error}") from error
