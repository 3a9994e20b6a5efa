"""The command `otel-chatbot`: a thin layer of words over what the rooms below can do.

Fed by the command line; feeds the terminal, and scripts by its exit status: 0 all is well, 1 something is not, 2 misuse.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TypeVar

__all__ = ["main"]

_Value = TypeVar("_Value")
_Number = TypeVar("_Number", int, float)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = parser().parse_args(arguments)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # a letter that the terminal's encoding lacks is written out and ends nothing
        reconfigure(errors="backslashreplace")
    return _run(options)


def _run(options: argparse.Namespace) -> int:  # noqa: PLR0911 - one line per command
    if options.command == "doctor":
        return _doctor(options)
    if options.command == "compare":
        from .compare import Comparison, compare

        return compare(_fields(Comparison, options))
    if options.command == "mark":
        from .mark import mark

        return mark(options.action, options.to, options.previous, failed=options.failed)
    if options.command == "probe":
        from .probe import probe

        return probe(options.url, options.timeout)
    if options.command == "render":
        from .render import RenderOptions, render

        return render(_fields(RenderOptions, options))
    if options.command == "ui":
        from .ui import ViewerOptions, ui

        return ui(_fields(ViewerOptions, options))
    if options.command == "top":
        from .top import TopOptions, top

        return top(_fields(TopOptions, options))
    from .spool import spool

    return spool(options.action)


def _doctor(options: argparse.Namespace) -> int:
    try:
        from .doctor.command import DoctorOptions, doctor
    except Exception as error:  # what it looks at does not import
        print(f"OpenTelemetry cannot be imported: {type(error).__name__}: {error}")
        print("install it anew: pip install --force-reinstall otel-chatbot")
        return 1
    return doctor(_fields(DoctorOptions, options))


def _fields(kind: Callable[..., _Value], options: argparse.Namespace) -> _Value:
    """A value whose fields are named as the options are."""
    return kind(**{name: value for name, value in vars(options).items() if name != "command"})


def number(kind: Callable[[str], _Number], least: float, most: float = math.inf) -> Callable[[str], _Number]:
    """The type of an option that is a number in a range; another value ends the command with one line that names it."""

    def read(text: str) -> _Number:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most or math.isinf(value):
            above = f"{least:g} or more" if math.isinf(most) else f"{least:g} to {most:g}"
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not usable; give {what}, {above}")
        return value

    return read


def parser() -> argparse.ArgumentParser:
    """The command line; feeds the page of commands, too."""
    found = argparse.ArgumentParser(prog="otel-chatbot", description="Check, look at and manage the telemetry of a chatbot.")
    found.add_argument("--version", action="version", version=f"otel-chatbot {version('otel-chatbot')}")
    commands = found.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="check what is installed, set and reachable, and say how to mend what is not")
    doctor.add_argument("url", nargs="?", default="", help="address of the running app: asks its six routes too")
    doctor.add_argument("--app", default="", help="module or file of the app: imported in an instrumented process, not started")
    doctor.add_argument(
        "--port", type=number(int, 1, 65535), default=0, help="port that the app will use: checks that it is free"
    )
    doctor.add_argument("--prometheus", default="", help="address of Prometheus: looks there for the test figure")
    doctor.add_argument("--collector", default="", help="address of the collector's own metrics, such as http://localhost:8888")
    doctor.add_argument("--traces", default="", help="address of Tempo or Jaeger: looks there for the test span")
    doctor.add_argument("--wait", type=number(float, 0), default=30.0, help="seconds to look for what was sent (default 30)")
    doctor.add_argument("--json", action="store_true", help="print JSON, for programs")
    compare = commands.add_parser("compare", help="compare two versions; ends with 1 when the new one is worse")
    compare.add_argument("old", help="service.version to compare with")
    compare.add_argument("new", help="service.version to judge")
    compare.add_argument("--prometheus", default="http://localhost:9090", help="its address (default http://localhost:9090)")
    compare.add_argument("--service", default="", help="service.name, when several services have these versions")
    compare.add_argument(
        "--window", type=number(float, 1), default=1800.0, help="seconds to look at per version (default 1800)"
    )
    compare.add_argument(
        "--since", type=number(float, 1), default=86400.0, help="how many seconds back to look for the versions (default 86400)"
    )
    compare.add_argument(
        "--tolerance", type=number(float, 0), default=20.0, help="how many percent worse a figure may be (default 20)"
    )
    compare.add_argument(
        "--least",
        type=number(int, 0),
        default=20,
        help="requests that each version must have answered, and ratings and model calls that a share needs (default 20)",
    )
    compare.add_argument("--json", action="store_true", help="print JSON, for programs")
    mark = commands.add_parser("mark", help="record a deployment or a rollback as a span with an event")
    mark.add_argument("action", choices=("deploy", "rollback"), help="what was done")
    mark.add_argument("--version", dest="to", required=True, help="service.version that runs now")
    mark.add_argument("--previous", default="", help="service.version that ran before")
    mark.add_argument("--failed", action="store_true", help="the deployment or rollback failed")
    probe = commands.add_parser(
        "probe", help="ask a health route once; ends with 0 when it answers 200 (for container health checks)"
    )
    probe.add_argument("url", help="address of the app, or of one of its routes; /health/ready when it has no path")
    probe.add_argument("--timeout", type=number(float, 0.001), default=5.0, help="seconds (default 5)")
    spool = commands.add_parser("spool", help="show, send or delete the telemetry on disk that waits to be sent")
    spool.add_argument(
        "action", choices=("status", "replay", "purge"), help="show how much there is, send it now, or delete it"
    )
    _viewing(commands)
    render = commands.add_parser("render", help="write the rules, dashboards and tables that follow from the metrics' names")
    render.add_argument("folder", nargs="?", default="", help="where to write; without it, it is shown what would change here")
    render.add_argument("--root", default="", help="the same as FOLDER")
    render.add_argument("--check", action="store_true", help="write nothing; 1 when a file differs, and its name (for CI)")
    render.add_argument("--force", action="store_true", help="overwrite files that are there and differ")
    render.add_argument(
        "--runbooks",
        default="",
        help="absolute address of the alerts' pages, with {page} for a page's name or without (default: CHATBOT_OTEL_RUNBOOKS)",
    )
    return found


def _viewing(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands that show what is going on."""
    ui = commands.add_parser("ui", help="the viewer: chats, traces, logs and figures of the apps here, in a browser")
    ui.add_argument(
        "folder", nargs="?", default="", help="look at the apps that write here alone (default: all of this user's)"
    )
    ui.add_argument("--host", default="127.0.0.1", help="where to listen; beyond this machine, a token is asked for")
    ui.add_argument("--port", type=number(int, 0, 65535), default=4390, help="for the page and for OTLP (default 4390)")
    ui.add_argument("--token", default="", help="the token that is asked for (default: none on this machine, else a new one)")
    ui.add_argument("--data", default="", help="file that keeps what was seen (default: ~/.local/state/otel-chatbot/ui.sqlite)")
    ui.add_argument(
        "--max-mib", type=number(int, 16), default=512, help="size of that file, the oldest goes first (default 512)"
    )
    ui.add_argument("--max-days", type=number(float, 0.01), default=7.0, help="age of what is kept (default 7)")
    top = commands.add_parser("top", help="the same in a terminal: figures, the last turns, errors (needs otel-chatbot[top])")
    top.add_argument("folder", nargs="?", default="", help="look at the apps that write here alone (default: ask the viewer)")
    top.add_argument(
        "--viewer", default="", help="address of a viewer to ask (default: http://127.0.0.1:4390 when it runs, else none)"
    )
    top.add_argument("--token", default="", help="the viewer's token")
