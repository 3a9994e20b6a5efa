"""Checks of one value each: a number, a choice, an address, a file, regular expressions.

Feeds the rows in `variables.table`. A check gets the value and the environment around it, and answers with what is wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_SCHEMES: Final = ("http", "https")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a value and what to do about it.

    `instead` is the value that is used; None means the default of OpenTelemetry. `kept` says that the value stays as it is.
    """

    why: str
    remedy: str
    instead: str | None = None
    kept: str = ""
    """What follows from a value that stays as it is; empty: it is replaced."""


Check = Callable[[str, Mapping[str, str]], Problem | None]


def whole_number(least: int, most: int | None = None) -> Check:
    """A whole number in a range."""

    def check(value: str, _: Mapping[str, str]) -> Problem | None:
        wanted = f"a whole number, {f'{least} or more' if most is None else f'{least} to {most}'}"
        try:
            number = int(value)
        except ValueError:
            return Problem("it is not a whole number", f"set {wanted}")
        if number < least or (most is not None and number > most):
            return Problem(f"it is not {wanted}", f"set {wanted}")
        return None

    return check


def positive(unit: str) -> Check:
    """A number of milliseconds or seconds, more than 0."""

    def check(value: str, _: Mapping[str, str]) -> Problem | None:
        try:
            fits = 0 < float(value) < float("inf")
        except ValueError:
            fits = False
        return None if fits else Problem(f"it is not a number of {unit} above 0", f"set {unit}, such as 10")

    return check


def share(value: str, environ: Mapping[str, str]) -> Problem | None:
    """A ratio of the samplers that take one; other samplers read what they like."""
    if "traceidratio" not in environ.get("OTEL_TRACES_SAMPLER", ""):
        return None
    try:
        fits = 0 <= float(value) <= 1
    except ValueError:
        fits = False
    return None if fits else Problem("it is not a number from 0 to 1", "set the part of the traces to keep, such as 0.1", "1.0")


def one_of(*allowed: str) -> Check:
    """One of some words, in any case."""

    def check(value: str, _: Mapping[str, str]) -> Problem | None:
        listed = ", ".join(allowed)
        return None if value.strip().lower() in allowed else Problem("it is not known", f"set one of {listed}")

    return check


def address(value: str, environ: Mapping[str, str]) -> Problem | None:
    """An address with its scheme; gRPC's may be without."""
    protocols = (
        given for name, given in environ.items() if name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("PROTOCOL")
    )
    if "grpc" in protocols:
        return None
    waits = "as it is, telemetry waits in the spool"
    if "://" not in value:
        return Problem("it has no scheme", f"add http:// (or https://), as in http://{value.strip()}", kept=waits)
    try:
        parts = urlsplit(value.strip())
        fits = parts.scheme.lower() in _SCHEMES and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # the port
        fits = False
    return None if fits else Problem("it is not an http address", "set one such as http://localhost:4318", kept=waits)


def file(value: str, _: Mapping[str, str]) -> Problem | None:
    """A file that can be read."""
    if os.access(value, os.R_OK) and os.path.isfile(value):
        return None
    return Problem("there is no such file that can be read", "correct the path", kept="as it is, telemetry waits in the spool")


def expressions(value: str, _: Mapping[str, str]) -> Problem | None:
    """Regular expressions, separated by commas."""
    good = []
    wrong = []
    for item in filter(None, map(str.strip, value.split(","))):
        try:
            re.compile(item)
            good.append(item)
        except re.error as error:
            wrong.append(f"{item!r} is not a regular expression: {error}")
    return Problem("; ".join(wrong), "correct the expression", ",".join(good) or None) if wrong else None


def stable_names(value: str, _: Mapping[str, str]) -> Problem | None:
    """The opt-in of names: the old ones beside the new ones cannot be had of what we make ourselves."""
    double = [item.strip() for item in value.split(",") if item.strip() in ("http/dup", "database/dup")]
    if not double:
        return None
    why = f"{' and '.join(double)} is not supported: Flask's, MongoDB's and Redis's telemetry has the stable names alone"
    return Problem(why, "set http,database", kept="it holds for other instrumentations")
