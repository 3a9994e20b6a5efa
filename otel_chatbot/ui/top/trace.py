"""One trace in a terminal: its spans as a waterfall, its log lines and exceptions where they happened.

Fed by `ui.top.view`.
"""

from __future__ import annotations

from typing import Final

from rich.text import Text

from ...semconv.logs import EXCEPTION
from .state import Json, State
from .words import clock, duration, safe

HELP: Final = Text("↑↓ scroll · Esc or q back to the lists", style="dim", no_wrap=True, overflow="ellipsis")
_COLOURS: Final = {"model": "magenta", "server": "cyan", "mongodb": "green", "redis": "yellow"}
_MOST: Final = 1_000
"""The most lines that can be scrolled over."""


def lines(trace: Json | None, state: State, width: int, height: int) -> list[Text]:
    """As many lines as there is room for, from the scroll position on."""
    if not trace:
        found = [Text("There is no such trace: it has not come yet, or it was too old to keep.")]
    else:
        found = [_head(trace), *_body(trace, width)]
    first = max(0, min(state.scroll, len(found) - height))
    shown = found[first : first + height]
    return shown + [Text("")] * (height - len(shown))


def _head(trace: Json) -> Text:
    services = sorted({one["service"] for one in trace["resources"].values() if one["service"]})
    conversation = next((one["conversation"] for one in trace["spans"] if one["conversation"]), None)
    told = [f"{len(trace['spans'])} spans", f"{len(trace['logs'])} log lines", *services]
    if conversation:
        told.append(f"conversation {conversation}")
    return Text(safe(f"trace {trace['trace']} · {' · '.join(told)}"), style="bold", no_wrap=True, overflow="ellipsis")


def _body(trace: Json, width: int) -> list[Text]:
    spans = trace["spans"]
    start = min((one["start"] for one in spans), default=0.0)
    whole = max((one["start"] + one["ms"] for one in spans), default=start) - start or 1.0
    depths = _depths(spans)
    timed = [(one["start"], _span(one, depths[one["span"]], start, whole, width)) for one in spans[:_MOST]]
    timed += [(event["at"], _event(event)) for one in spans[:_MOST] for event in one["events"][:20]]
    timed += [(one["at"], _log(one)) for one in trace["logs"][:_MOST]]
    return [line for _, line in sorted(timed, key=lambda one: one[0])][:_MOST]


def _depths(spans: list[Json]) -> dict[str, int]:
    """The depth of each span under the first; it ends even if malicious spans form a loop."""
    parents = {one["span"]: one["parent"] for one in spans}
    depths: dict[str, int] = {}
    for one in spans:
        depth, at = 0, one["parent"]
        while at in parents and depth < 12:
            depth, at = depth + 1, parents[at]
        depths[one["span"]] = depth
    return depths


def _span(span: Json, depth: int, start: float, whole: float, width: int) -> Text:
    room = max(10, width - 11)
    names = max(10, room // 2)
    bars = room - names
    name = safe("  " * depth + span["name"] + (f" {span['error']}" if span["error"] else ""))[: names - 1]
    first = min(bars - 1, int((span["start"] - start) / whole * bars))
    length = max(1, min(bars - first, round(span["ms"] / whole * bars)))
    style = "red" if span["failed"] else _COLOURS.get(span["system"], "blue")
    return Text.assemble(
        (f"{name:<{names}}", "red" if span["failed"] else ""), " " * first, ("█" * length, style), " " * (bars - first - length),
        f"{duration(span['ms']):>11}", no_wrap=True, overflow="crop",
    )  # fmt: skip


def _event(event: Json) -> Text:
    told = " ".join(str(value).splitlines()[0] for value in event["attributes"].values() if str(value).strip())
    return Text(
        f"  {clock(event['at'])} {safe(event['name'])}: {safe(told)}", style="yellow", no_wrap=True, overflow="ellipsis"
    )


def _log(log: Json) -> Text:
    style = "red" if log["level"] >= 17 else "yellow" if log["level"] >= 13 else "dim"
    exception = log.get(EXCEPTION)
    more = f" ({exception['type']}: {exception['message']})" if exception else ""
    text = f"  {clock(log['at'])} {log['severity']} {log['logger']}: {log['body']}{more}"
    return Text(safe(text, 500), style=style, no_wrap=True, overflow="ellipsis")
