"""Pictures of the dashboards for the README: their panels with data of a real Prometheus, drawn by Chromium.

    python scripts/dashboard_pictures.py [--minutes 5] [--to docs/images] [chatbot-overview ...]
    python scripts/dashboard_pictures.py --prometheus http://localhost:9090        (an existing one)

Grafana itself is not used: this script draws the same JSON (titles, places, units, thresholds, legends), so the figures are
real and the look is similar. Without --prometheus it starts the example chatbot, the collector and Prometheus
as the tests do, and lets some people chat for a while. Needs the requirements of the tests.
"""

from __future__ import annotations

import argparse
import html
import json
import math
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support import promql  # noqa: E402
from support.browser import page  # noqa: E402

COLUMN, LINE, GAP = 58, 30, 8
"""Pixels: the width of a 24th of the page, the height of a row of Grafana's grid, and the gap between panels."""
COLORS = ("#5794f2", "#73bf69", "#fade2a", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#96d98d", "#ffcb7d", "#ff7383")
PICTURED = ("chatbot-overview", "chatbot-ai", "chatbot-databases", "chatbot-telemetry")
NAMED = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c"}
STYLE = """
body { margin: 0; background: #111217; color: #ccccdc; font: 12px Inter, "DejaVu Sans", sans-serif; }
h1 { font-size: 18px; font-weight: 500; margin: 14px 12px 8px; } h1 small { color: #8e8ea0; font-size: 12px; margin-left: 12px; }
.panel { position: absolute; background: #181b1f; border: 1px solid #25272e; border-radius: 3px; overflow: hidden; box-sizing: border-box; }
.panel h2 { font-size: 12.5px; font-weight: 500; margin: 7px 10px 2px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.row { position: absolute; font-size: 14px; font-weight: 500; padding: 5px 10px; box-sizing: border-box; }
.big { font-size: 30px; font-weight: 500; text-align: center; margin-top: 14px; }
.legend { margin: 0 10px; line-height: 17px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.legend i { display: inline-block; width: 12px; height: 3px; margin: 0 6px 3px 0; } .legend b { font-weight: 500; float: right; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: 6px 10px; border-bottom: 1px solid #25272e; }
th { color: #6e9fff; font-weight: 500; } svg text { fill: #8e8ea0; font-size: 10.5px; }
"""


class Api:
    """The API of a Prometheus server, for one span of time."""

    def __init__(self, url: str, minutes: float, window: str) -> None:
        self.url, self.end, self.window = url.rstrip("/"), time.time(), window
        self.start = self.end - 60 * minutes
        self.step = max(1, int(60 * minutes / 200))

    def ask(self, expr: str, *, at_once: bool, since: str = "") -> list[dict[str, Any]]:
        """Return the series of an expression: their labels, and points of time and value; `since` is `now/d` or `now/M`."""
        seconds = int(self.end - self.start)
        if since:
            now = time.localtime(self.end)
            begun = time.mktime((now.tm_year, now.tm_mon, now.tm_mday if since == "now/d" else 1, 0, 0, 0, 0, 0, -1))
            seconds = int(self.end - begun)
        text = promql.substituted(expr, __rate_interval=self.window, __range=f"{seconds}s", __range_s=str(seconds))
        if at_once:
            found = self._get("query", query=text, time=self.end)
            return [{"metric": one["metric"], "values": [one["value"]]} for one in found]
        return self._get("query_range", query=text, start=self.start, end=self.end, step=self.step)

    def _get(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}", timeout=30) as answer:
            return json.load(answer)["data"]["result"]


def shown(value: float, unit: str) -> str:
    """Format a value for its unit, one of Grafana's that the dashboards use."""
    if unit == "percentunit":
        return f"{value * 100:.3g}%"
    if unit == "s":
        return f"{value:.3g} s" if value >= 1 or value == 0 else f"{value * 1000:.3g} ms"
    if unit == "bytes":
        for name, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value:.3g} B"
    suffix = {"reqps": " req/s", "ops": " ops/s"}.get(unit, "")
    prefix = "$" if unit == "currencyUSD" else ""
    if abs(value) >= 10_000:
        return f"{prefix}{value / 1000:.3g}K{suffix}"
    if 0 < abs(value) < 0.001:
        return f"{prefix}{value:.2g}{suffix}" if not prefix else f"{prefix}{value:.6f}"
    digits = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return f"{prefix}{digits}{suffix}"


def color_of(value: float, steps: list[dict[str, Any]]) -> str:
    """Return the threshold's colour that a value has."""
    found = steps[0]["color"]
    for step in steps[1:]:
        found = step["color"] if value >= step["value"] else found
    return NAMED.get(found, found)


def legend_of(target: dict[str, Any], metric: dict[str, str]) -> str:
    """Return the name of a series, as its query's legend says."""
    text = target["legendFormat"]
    for name, value in metric.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return " ".join(part for part in text.split() if not part.startswith("{{"))


class Drawing:
    """One panel, drawn as HTML."""

    def __init__(self, panel: dict[str, Any], api: Api) -> None:
        self.panel, self.api = panel, api
        self.defaults = panel["fieldConfig"]["defaults"]
        self.unit, self.steps = self.defaults["unit"], self.defaults["thresholds"]["steps"]
        at_once = panel["type"] in ("stat", "table")
        self.series = [
            (legend_of(target, one["metric"]), one)
            for target in panel["targets"]
            for one in api.ask(target["expr"], at_once=at_once, since=panel.get("timeFrom", ""))
        ]

    def html(self) -> str:
        """Draw it by its kind."""
        kind = self.panel["type"]
        draw = {
            "stat": self.stat,
            "table": self.table,
            "state-timeline": self.states,
            "timeseries": self.lines,
            "heatmap": self.heat,
        }[kind]
        return f"<h2>{html.escape(self.panel['title'])}</h2>{draw()}"

    def stat(self) -> str:
        """Draw one number."""
        if not self.series:
            return f"<div class=big>{html.escape(self.defaults.get('noValue', 'No data'))}</div>"
        value = float(self.series[0][1]["values"][-1][1])
        text = self.name_of(value) or shown(value, self.unit)
        return f'<div class=big style="color:{color_of(value, self.steps)}">{html.escape(text)}</div>'

    def name_of(self, value: float) -> str:
        """Return the name that the panel gives to a value, if any."""
        for mapping in self.defaults["mappings"]:
            if f"{value:g}" in mapping["options"]:
                return mapping["options"][f"{value:g}"]["text"]
        return ""

    def table(self) -> str:
        """Draw labels as columns."""
        [organize] = [one["options"] for one in self.panel["transformations"]]
        names = organize["renameByName"]
        head = "".join(f"<th>{html.escape(name)}</th>" for name in names.values())
        rows = [
            "".join(f"<td>{html.escape(one['metric'].get(label, ''))[:36]}</td>" for label in names) for _, one in self.series
        ]
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"

    def size(self) -> tuple[int, int]:
        """Return the pixels inside the panel."""
        place = self.panel["gridPos"]
        return place["w"] * COLUMN - GAP, place["h"] * LINE - GAP

    def states(self) -> str:
        """Draw a bar of time for each series, coloured by its state."""
        width, _ = self.size()
        left, bar = 80, 34
        parts = []
        for index, (name, one) in enumerate(self.series):
            y = 8 + index * (bar + 10)
            parts.append(f'<text x="10" y="{y + bar / 2 + 4}">{html.escape(name)}</text>')
            for at, value in one["values"]:
                x = left + (at - self.api.start) / (self.api.end - self.api.start) * (width - left - 12)
                wide = self.api.step / (self.api.end - self.api.start) * (width - left - 12) + 0.6
                fill = color_of(float(value), self.steps)
                parts.append(f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{bar}" fill="{fill}" opacity="0.8"/>')
            last = self.name_of(float(one["values"][-1][1]))
            begun = left + (one["values"][0][0] - self.api.start) / (self.api.end - self.api.start) * (width - left - 12)
            parts.append(f'<text x="{begun + 10:.1f}" y="{y + bar / 2 + 4}" style="fill:#111">{html.escape(last)}</text>')
        return f'<svg width="{width}" height="{len(self.series) * 44 + 16}">{"".join(parts)}</svg>'

    def heat(self) -> str:
        """Draw a column of cells for each time: the fuller a bucket, the brighter its cell."""
        width, height = self.size()
        left, right, top, bottom = 76, 10, 6, 52
        edges = sorted((float(one["metric"]["le"]), dict(one["values"])) for _, one in self.series)
        cells: list[tuple[int, float, float]] = []
        for at in sorted({at for _, values in edges for at in values}):
            below = 0.0
            for index, (_, values) in enumerate(edges):
                until = float(values.get(at, below))
                cells.append((index, at, max(0.0, until - below)))
                below = max(below, until)
        most = max((count for *_, count in cells), default=0.0) or 1.0
        tall = (height - top - bottom) / max(1, len(edges))
        wide = self.api.step / (self.api.end - self.api.start) * (width - left - right)
        parts = []
        for index, at, count in cells:
            if count > 1e-9:
                x = left + (at - self.api.start) / (self.api.end - self.api.start) * (width - left - right)
                y = top + (len(edges) - 1 - index) * tall
                shade = f'fill="#ff9830" opacity="{0.15 + 0.85 * math.sqrt(count / most):.2f}"'
                parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall - 1:.1f}" {shade}/>')
        for index, (edge, _) in enumerate(edges):
            if index % 3 == 2 and math.isfinite(edge):
                y = top + (len(edges) - 1 - index) * tall + 4
                parts.append(f'<text x="{left - 6}" y="{y:.1f}" text-anchor="end">{shown(edge, "s")}</text>')
        for part in range(4):
            at = self.api.start + (self.api.end - self.api.start) * part / 4
            x = left + (width - left - right) * part / 4
            parts.append(f'<text x="{x}" y="{height - bottom + 16}">{time.strftime("%H:%M:%S", time.localtime(at))}</text>')
        return f'<svg width="{width}" height="{height}">{"".join(parts)}</svg>' if cells else "<div class=big>No data</div>"

    def lines(self) -> str:
        """Draw lines over time, a legend below them."""
        width, height = self.size()
        kept = sorted(self.series, key=lambda pair: -float(pair[1]["values"][-1][1]))[:5] if self.series else []
        chart = height - 34 - 17 * max(1, len(kept))
        stacked = self.defaults["custom"]["stacking"]["mode"] == "normal"
        tops: dict[float, float] = {}
        curves = []
        for _, one in kept:
            points = [(at, float(value) + (tops.get(at, 0.0) if stacked else 0.0)) for at, value in one["values"]]
            tops.update(points)
            curves.append([(at, value) for at, value in points if math.isfinite(value)])
        most = max([value for curve in curves for _, value in curve], default=0.0) * 1.08 or 1.08
        most = min(most, self.defaults.get("max", most)) if most > self.defaults.get("max", most) else most
        left, right, bottom = 76, 10, 18

        def place(at: float, value: float) -> tuple[float, float]:
            share = (at - self.api.start) / (self.api.end - self.api.start)
            return left + share * (width - left - right), 6 + (chart - bottom - 6) * (1 - value / most)

        parts = [self.grid(width, chart, most, left, right, bottom)]
        for step in self.steps[1:]:
            if step["value"] <= most:
                _, y = place(self.api.start, step["value"])
                stroke = NAMED[step["color"]]
                parts.append(
                    f'<path d="M{left} {y:.1f}H{width - right}" stroke="{stroke}" stroke-dasharray="6 5" opacity="0.7"/>'
                )
        for index in reversed(range(len(curves))) if stacked else range(len(curves)):
            if curves[index]:
                path = "L".join("{:.1f} {:.1f}".format(*place(*point)) for point in curves[index])
                first, last = place(*curves[index][0])[0], place(*curves[index][-1])[0]
                color, floor = COLORS[index % len(COLORS)], place(0, 0)[1]
                shade = f"M{first:.1f} {floor}L{path}L{last:.1f} {floor}Z"
                parts.append(f'<path d="{shade}" fill="{color}" opacity="{0.5 if stacked else 0.08}"/>')
                parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="1.4"/>')
        return f'<svg width="{width}" height="{chart}">{"".join(parts)}</svg>{self.legend(kept)}'

    def grid(self, width: int, chart: int, most: float, left: int, right: int, bottom: int) -> str:
        """Draw lines of equal value, and of equal time."""
        parts = []
        for part in range(4):
            value = most / 1.08 * part / 3
            y = 6 + (chart - bottom - 6) * (1 - value / most)
            parts.append(f'<path d="M{left} {y:.1f}H{width - right}" stroke="#25272e"/>')
            parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{shown(value, self.unit)}</text>')
        for part in range(4):
            at = self.api.start + (self.api.end - self.api.start) * part / 4
            x = left + (width - left - right) * part / 4
            parts.append(f'<text x="{x}" y="{chart - 4}">{time.strftime("%H:%M:%S", time.localtime(at))}</text>')
        return "".join(parts)

    def legend(self, kept: list[tuple[str, Any]]) -> str:
        """Name the series with their last values."""
        lines = [
            f'<div class=legend><i style="background:{COLORS[index % len(COLORS)]}"></i>{html.escape(name)}'
            f"<b>{shown(float(one['values'][-1][1]), self.unit)}</b></div>"
            for index, (name, one) in enumerate(kept)
        ]
        return "".join(lines) or "<div class=legend>No data</div>"


def draw(board: dict[str, Any], api: Api) -> tuple[str, int]:
    """Return a dashboard as a page, and the page's height."""
    boxes, top, height = [], 44, 0
    for panel in board["panels"]:
        place = panel["gridPos"]
        box = f"left:{place['x'] * COLUMN + GAP}px;top:{place['y'] * LINE + top}px;width:{place['w'] * COLUMN - GAP}px;"
        if panel["type"] == "row":
            mark = "+" if panel["collapsed"] else "⌄"
            boxes.append(f'<div class=row style="{box}">{mark} {html.escape(panel["title"])}</div>')
        else:
            inner = Drawing(panel, api).html()
            boxes.append(f'<div class=panel style="{box}height:{place["h"] * LINE - GAP}px">{inner}</div>')
        height = max(height, (place["y"] + place["h"]) * LINE + top + GAP)
    title = f"<h1>{html.escape(board['title'])}<small>{html.escape(board['description'])}</small></h1>"
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{title}{''.join(boxes)}", height


def photograph(api: Api, wanted: list[str], folder: Path) -> None:
    """Draw the dashboards into PNG files named after their uids."""
    folder.mkdir(parents=True, exist_ok=True)
    for uid, board in promql.dashboards().items():
        if uid in wanted:
            text, height = draw(board, api)
            with page(24 * COLUMN + 2 * GAP, height) as sheet:
                sheet.set_content(text)
                sheet.screenshot(path=folder / f"dashboard-{uid.removeprefix('chatbot-')}.png", full_page=True)
            print(f"dashboard-{uid.removeprefix('chatbot-')}.png")


QUESTIONS = (
    "What is the difference between a trace and a metric?",
    "And when does a cache pay off?",
    "How do I find a slow query in MongoDB?",
    "hello",
    "Why is the first word late?",
)


def chat_for(pipeline: Any, minutes: float) -> None:
    """Let some people chat: streamed and whole answers, new questions and repeated ones, and a few failures."""
    end = time.monotonic() + 60 * minutes
    chance = random.Random(7)

    def person(name: str) -> None:
        while time.monotonic() < end:
            question = chance.choice(QUESTIONS)
            if chance.random() < 0.5:
                question += f" ({chance.randrange(1000)})"
            reply = pipeline.stack.chat(question, user_id=name, model=chance.choice((None, None, "gpt-4o")))
            where = {"conversation_id": reply.json["conversation_id"]} if reply.status == 200 else {}
            pipeline.stack.stream(f"{question} /chunks 20 /slow {chance.uniform(0.3, 2):.1f}", user_id=name, **where)
            if chance.random() < 0.06:
                pipeline.stack.chat("/fail 500", user_id=name)
            pipeline.stack.get("/health/ready")
            time.sleep(chance.uniform(0.2, 2))

    people = [threading.Thread(target=person, args=(f"person-{number}",), daemon=True) for number in range(5)]
    for one in people:
        one.start()
    for one in people:
        one.join(60 * minutes + 60)


def run_and_photograph(minutes: float, wanted: list[str], folder: Path) -> None:
    """Start everything, chat, and draw the dashboards."""
    from support.pipeline import Pipeline
    from support.servers import MongoServer, RedisServer

    with (
        tempfile.TemporaryDirectory() as place,
        MongoServer(Path(place) / "mongo") as mongo,
        RedisServer(Path(place) / "redis") as redis,
    ):
        rules = str(ROOT / "prometheus/rules/*.yml")
        env = {"OTEL_RESOURCE_ATTRIBUTES": "service.version=1.4.2,deployment.environment.name=production"}
        with Pipeline(Path(place) / "run", mongo=mongo, redis=redis, rules=rules, interval="2s", env=env) as pipeline:
            chat_for(pipeline, minutes)
            photograph(Api(pipeline.prometheus.url, minutes, "30s"), wanted, folder)


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description="Pictures of the dashboards, from real data, without Grafana.")
    parser.add_argument("dashboards", nargs="*", default=PICTURED, help="uids; all but the long one unless named")
    parser.add_argument("--prometheus", help="address of an existing server; without it, one is run")
    parser.add_argument("--minutes", type=float, default=5.0, help="so much time is shown (default 5)")
    parser.add_argument("--to", type=Path, default=ROOT / "docs/images")
    arguments = parser.parse_args()
    if arguments.prometheus:
        photograph(Api(arguments.prometheus, arguments.minutes, "1m"), arguments.dashboards, arguments.to)
    else:
        run_and_photograph(arguments.minutes, arguments.dashboards, arguments.to)


if __name__ == "__main__":
    main()
