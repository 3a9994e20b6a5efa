"""Who sees which model calls: the clients of the tests under each tool, against a model server that keeps a ledger.

    python benchmarks/who_sees_what.py [--quick] [--only upstream openlit] [--clients openai requests]

The scenarios are those of tests/support/clients, of which the tests run all: here those that are answered, refused once, failed,
closed in the middle and left by the app. Each tool runs them in a process of its own (`apps/seen.py`), one after the other; its
spans are compared with the ledger (`seen.py`). Writes who_sees_what.json, with date and versions, and of it
docs/who-sees-what.md (`seen_page.py`). With --only or --clients nothing is written but to the screen.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO
from urllib.request import Request, urlopen

import environment as e
import seen_page
import tools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from seen import SPOILED, Seen, asks_a_model, by_client, seen
from support.clients import world
from support.clients.scenario import OLDER, TODAY, Scenario
from support.clients.table import MADE_BY_CLIENTS, SCENARIOS, WRITTEN_BY_HAND
from support.process import Process
from support.wires.ledger import Record, truth

MODES = ("plain", "refused", "fails", "closed", "left")
HANDS = ("requests", "httpx", "aiohttp", "urllib3", "urlopen")
BY_HAND = ("openai_chat", "openai_stream", "anthropic", "gemini")
"""The shapes of hand-made requests (without a client library) that are compared; the tests have more."""
RESULT = e.HERE / "who_sees_what.json"
PAGE = e.ROOT / "docs" / "who-sees-what.md"
PATIENCE, START = 180.0, 900.0
"""Seconds: a busy machine takes minutes to import every client."""
LATER = 0.3
BARE = tools.Tool("", "the clients alone", (), "OpenTelemetry's SDK and no tool: some clients make spans by themselves")


def scenarios(clients: Sequence[str] = (), modes: Sequence[str] = MODES) -> list[Scenario]:
    """The scenarios to run: the plain call of every interface, and failures of the first whole and first streamed one."""
    first: dict[tuple[str, str], str] = {}
    for one in SCENARIOS:
        first.setdefault((one.client, one.mode), one.interface)
        if one.streamed and one.mode == "closed":
            first[one.client, "streamed"] = first.get((one.client, "streamed"), one.interface)
    made = [*MADE_BY_CLIENTS, *(one for one in WRITTEN_BY_HAND if one.client in HANDS and one.interface in BY_HAND)]
    return [
        one
        for one in made
        if one.mode in modes
        and (not clients or one.client in clients)
        and (one.mode not in SPOILED or first[one.client, "streamed" if one.mode == "closed" else one.mode] == one.interface)
    ]


class Wires:
    """The model server."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.process = Process([str(python), "-m", "support.wires"], folder, {"PYTHONPATH": str(world.TESTS)}, name="wires")
        self.process.wait(lambda: self.process.stdout.endswith("\n"), "the model server")
        self.addresses = json.loads(self.process.stdout)

    def begin(self) -> None:
        self._ask("/_wires/begin", b"{}")

    def ledger(self) -> list[Record]:
        """The ledger, after the server has finished all requests."""
        until = time.monotonic() + PATIENCE
        while True:
            records = [Record(**record) for record in self._ask("/_wires/ledger")]
            if all(record.done for record in records) or time.monotonic() > until:
                return records
            time.sleep(0.01)

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        with urlopen(Request(self.addresses["url"] + path, body), timeout=30) as answer:
            return json.load(answer)


class App:
    """A process that runs scenarios under a tool; if it ends or hangs, a new one is started."""

    def __init__(self, tool: tools.Tool, python: Path, folder: Path, addresses: dict[str, str]) -> None:
        self.command = [str(python), str(e.HERE / "apps" / "seen.py")]
        self.folder = folder
        self.env = {
            **tools.clean(), "TOOL": tool.name, "WIRES": json.dumps(addresses), "HOME": str(folder),
            "CHATBOT_OTEL_LOG_DIR": str(folder / "logs"),
            # As the tests do: the address stands for OpenAI's, whose streams are asked for their tokens.
            "CHATBOT_OTEL_AI_ADDRESSES": "127.0.0.1/v1/chat=openai,127.0.0.1/v1/completions=openai",
        }  # fmt: skip
        self.process: subprocess.Popen[str] | None = None
        self.said: list[str] = []

    def run(self, scenario: Scenario) -> dict[str, Any]:
        return self._ask(scenario.name) or {"outcome": "the process ended or hung"}

    def spans(self) -> list[dict[str, Any]]:
        return list((self._ask("") or {}).get("spans", ()))

    def _ask(self, line: str) -> dict[str, Any] | None:
        if self.process is None:
            with (self.folder / "app.stderr").open("ab") as errors:
                self.process = subprocess.Popen(
                    self.command, cwd=self.folder, env=self.env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
                )  # fmt: skip
            ready = self._answer(START)
            if ready is None:
                raise RuntimeError(f"it does not start:\n{(self.folder / 'app.stderr').read_text()[-3000:]}")
            self.said = ready["said"]
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self, patience: float = PATIENCE) -> dict[str, Any] | None:
        assert self.process is not None
        assert self.process.stdout is not None
        timer = threading.Timer(patience, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            self.end()
            return None
        return json.loads(line)  # type: ignore[no-any-return]

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def running(tool: tools.Tool, clients: str) -> Iterator[tuple[App, Wires]]:
    """The model server and an app under a tool, with the clients of a lock."""
    python = tool.python(clients) if tool is not BARE else tools.UPSTREAM.python(clients)
    with tempfile.TemporaryDirectory(prefix="seen-") as name:
        folder = Path(name)
        wires = Wires(tools.OURS.python(clients), folder)
        app = App(tool, python, folder, wires.addresses)
        try:
            yield app, wires
        finally:
            app.end()
            wires.process.end()


def measured(
    tool: tools.Tool, wanted: Sequence[Scenario], clients: str, alone: dict[str, Any], details: TextIO | None
) -> tuple[dict[str, Seen], list[str]]:
    """A tool's view of each scenario, and its messages at the start; `alone` holds the app's results without a tool."""
    found: dict[str, Seen] = {}
    began = time.monotonic()
    with running(tool, clients) as (app, wires):
        for scenario in wanted:
            wires.begin()
            got = app.run(scenario)
            fact = truth(wires.ledger(), joined=scenario.joined)
            if tool is BARE:
                alone[scenario.name] = got
            spans = app.spans()
            if sum(map(asks_a_model, spans)) < fact.calls:  # gRPC's threads and finalizers report an end a little later
                time.sleep(LATER)
                spans += app.spans()
            one = found[scenario.name] = seen(scenario, fact, spans, same=got == alone[scenario.name])
            if details is not None:
                told = {"tool": tool.name, "scenario": scenario.name, "got": got, "told": spans, "fact": asdict(fact)}
                print(json.dumps({**told, **asdict(one)}), file=details, flush=True)
        print(f"{tool.title}, {clients}: {len(wanted)} scenarios in {time.monotonic() - began:.0f} s", flush=True)
        return found, app.said


def compared(chosen: Sequence[tools.Tool], wanted: Sequence[Scenario], details: TextIO | None = None) -> dict[str, Any]:
    """The whole comparison, as data."""
    found: dict[str, dict[str, Seen]] = {}
    said: dict[str, set[str]] = {}
    versions: dict[str, str] = {}
    for lock in (TODAY, OLDER):
        here = [one for one in wanted if one.env == lock]
        alone: dict[str, Any] = {}
        for tool in (BARE, *chosen) if here else ():
            seen_here, lines = measured(tool, here, lock, alone, details)
            found.setdefault(tool.name, {}).update(seen_here)
            said.setdefault(tool.name, set()).update(lines)
        there = tools.installed(tools.OURS.python(lock)) if here else {}
        for client in {one.client for one in here}:
            distribution = seen_page.CLIENTS[client][0]
            versions[client] = there[distribution].version if distribution else ""
    counts = by_client(found)
    return {
        "date": dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "scenarios": len(wanted),
        "versions": versions,
        "tools": [{**_of(tool), "said": sorted(said[tool.name]), "clients": counts[tool.name]} for tool in (*chosen, BARE)],
    }


def _of(tool: tools.Tool) -> dict[str, Any]:
    """The data about the tool itself."""
    found = tools.installed((tool if tool is not BARE else tools.OURS).python(TODAY))
    names = tools.needed(tool.asked, found)
    asked = sorted(canonicalize_name(Requirement(one).name) for one in tool.asked)
    return {
        "title": tool.title,
        "how": tool.how,
        "packages": len(names),
        "besides clients": len(names - tools.needed(tools.clients_asked(TODAY), found)),
        "versions": {name: found[name].version for name in asked},
        "refused": tools.refused(tool.asked, found),
    }


def write(details: TextIO | None = None, *, quick: bool = False) -> None:
    """Measure, and write the data and the page; `quick` measures a little, to check that all runs, and writes nothing."""
    if quick:
        print(seen_page.page(compared(tools.TOOLS, scenarios(("openai", "requests"), ("plain",)))))
        return
    RESULT.write_text(json.dumps(compared(tools.TOOLS, scenarios(), details), indent=1, sort_keys=True) + "\n")
    PAGE.write_text(seen_page.page(json.loads(RESULT.read_text())))
    print(f"written to {PAGE}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few plain calls, to see that all runs")
    parser.add_argument("--page", action="store_true", help="write the page anew of the data that is there")
    parser.add_argument("--only", nargs="+", choices=[tool.name for tool in tools.TOOLS], help="look at these tools")
    parser.add_argument("--clients", nargs="+", default=(), help="look at these clients")
    parser.add_argument("--details", type=argparse.FileType("w"), help="a line of JSON per scenario and tool")
    options = parser.parse_args()
    if options.page:
        PAGE.write_text(seen_page.page(json.loads(RESULT.read_text())))
    elif options.only or options.clients:
        chosen = [tool for tool in tools.TOOLS if not options.only or tool.name in options.only]
        modes = ("plain",) if options.quick else MODES
        print(seen_page.page(compared(chosen, scenarios(options.clients, modes), options.details)))
    else:
        write(options.details, quick=options.quick)


if __name__ == "__main__":
    main()
