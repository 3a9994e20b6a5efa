"""The expressions of the repository, found in the rendered files and taken apart: what the tests of names and of data ask.

for question in questions(): question.where, question.expr
names(expr), labels(expr)                # metric names and label names in an expression
values(expr)                             # an alert's expression without its thresholds: what is compared
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser as pp
import yaml

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = sorted((ROOT / "grafana/dashboards").glob("*.json"))
RULES = sorted((ROOT / "prometheus/rules").glob("*.yml"))
RATE_INTERVAL = "5m"
"""What Grafana puts in for `$__rate_interval` on a dashboard of some days: long enough to hold a whole run of a test."""
LABEL_VALUES = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")
_SET_OPERATORS = {"and", "or", "unless"}
_COMPARISONS = {">", "<", ">=", "<=", "==", "!="}


@dataclass(frozen=True)
class Question:
    """An expression and the place in the repository where it stands."""

    kind: str
    where: str
    expr: str
    legend: str = ""


def dashboards() -> dict[str, dict[str, Any]]:
    """The dashboards by their uid."""
    return {board["uid"]: board for path in DASHBOARDS for board in [json.loads(path.read_text())]}


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard, those in collapsed rows too, rows themselves left out."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def questions() -> list[Question]:
    """Every expression of a panel or a rule, as it stands there."""
    found = [
        Question("panel", f"{uid} / {panel['id']} {panel['title']} / {target['refId']}", target["expr"], target["legendFormat"])
        for uid, board in dashboards().items()
        for panel in panels(board)
        for target in panel["targets"]
    ]
    for rule in rules():
        kind = "alert" if "alert" in rule else "record"
        labels = ",".join(str(value) for value in rule.get("labels", {}).values())
        found.append(Question(kind, f"{rule[kind]} {labels}".strip(), rule["expr"]))
    return found


def substituted(expr: str, **variables: str) -> str:
    """As Grafana would send it: macros, and variables whose choice is All (`.*`) unless they are given."""
    chosen = {"__rate_interval": RATE_INTERVAL, "__range": "5m", "__range_s": "300", **variables}
    return re.sub(r"\$\{?(\w+)\}?", lambda match: chosen.get(match[1], ".*"), expr)


def nodes(expr: Any) -> Iterator[Any]:
    """An expression's parts, itself first."""
    yield expr
    for name in ("lhs", "rhs", "expr", "param"):
        inner = getattr(expr, name, None)
        if inner is not None and not isinstance(inner, str):
            yield from nodes(inner)
    for inner in getattr(expr, "args", None) or ():
        yield from nodes(inner)


def selectors(expr: str) -> Iterator[Any]:
    for node in nodes(pp.parse(substituted(expr))):
        if isinstance(node, pp.VectorSelector):
            yield node
        elif isinstance(node, pp.MatrixSelector):
            yield node.vector_selector


def names(expr: str) -> set[str]:
    """The metric names in an expression; `{__name__...}` alone has none."""
    return {selector.name for selector in selectors(expr) if selector.name}


def labels(expr: str) -> set[str]:
    """The labels by which an expression selects and groups."""
    found = {matcher.name for selector in selectors(expr) for matcher in selector.matchers.matchers}
    for node in nodes(pp.parse(substituted(expr))):
        grouping = re.search(r"(?:by|on) \(([^)]*)\)", str(getattr(node, "modifier", None)))
        if grouping:
            found |= {label.strip() for label in grouping[1].split(",") if label.strip()}
    return found


def without_zero(expr: str) -> str:
    """An expression without the 0 that stands in where there is no answer, at its top or in the brackets around all of it."""
    node = pp.parse(expr)
    while isinstance(node, pp.ParenExpr):
        node = node.expr
    if isinstance(node, pp.BinaryExpr) and str(node.op) == "or" and _is_zero(node.rhs):
        return without_zero(node.lhs.prettify())
    return node.prettify()


def _is_zero(node: Any) -> bool:
    text = " ".join(node.prettify().split())
    return text == "vector(0)" or text.startswith("0 * ")


def values(expr: str) -> list[str]:
    """What an alert compares with its thresholds: the left sides of the comparisons at its top; itself without any."""

    def compared(node: Any) -> Iterator[Any]:
        while isinstance(node, pp.ParenExpr) and isinstance(node.expr, pp.BinaryExpr) and str(node.expr.op) in _SET_OPERATORS:
            node = node.expr
        if isinstance(node, pp.BinaryExpr) and str(node.op) in _SET_OPERATORS:
            yield from compared(node.lhs)
            if str(node.op) == "and":  # what is set aside by unless, or stands in by or, may well be nothing
                yield from compared(node.rhs)
        elif isinstance(node, pp.BinaryExpr) and str(node.op) in _COMPARISONS:
            yield node.lhs
        else:
            yield node

    return [node.prettify() for node in compared(pp.parse(expr))]
