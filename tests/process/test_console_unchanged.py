"""The console prints the same with and without the sink, however the application sets its logging up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.process import clean_env

# The name of the folder must not differ between the two runs, for it stands in tracebacks.
SCRIPT = """
import logging, logging.config, os, sys, warnings
if os.environ.get("WITH_SINK"):
    from otel_chatbot import config
    from otel_chatbot.logs import sink
    sink.install(config.Settings(log_dir="logs"))
    sink.SINK.replaces_request_lines = True
log = logging.getLogger("app")
library = logging.getLogger("library.part")
"""

FLASK = """
from flask import Flask
app = Flask("shop")

@app.get("/crash")
def crash():
    app.logger.warning("about to crash")
    library.warning("of a library")
    raise RuntimeError("crashed for alice@example.com")

client = app.test_client()
print(client.get("/crash").status_code)
"""

SHAPES = {
    "nothing": 'log.info("i"); log.warning("w"); library.error("e")',
    "basicConfig": 'logging.basicConfig(level=logging.INFO); log.info("i %s", 1); library.debug("d"); log.error("e")',
    "basicConfig after a first line": 'log.warning("first"); logging.basicConfig(level=logging.INFO); log.info("i")',
    "basicConfig twice, by force": (
        'logging.basicConfig(level=logging.ERROR); logging.basicConfig(level=logging.INFO, force=True, format="%(message)s!"); log.info("i")'
    ),
    "dictConfig": """
log.warning("before")
logging.config.dictConfig({"version": 1, "formatters": {"f": {"format": "%(levelname)s|%(message)s"}},
    "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f", "stream": "ext://sys.stdout"}},
    "loggers": {"app": {"handlers": ["h"], "level": "DEBUG", "propagate": False}}})
log.debug("d"); library.warning("disabled by dictConfig"); logging.getLogger("new").warning("w")
""",
    "no propagation": 'log.propagate = False; log.warning("w"); log.addHandler(logging.StreamHandler(sys.stdout)); log.warning("w2")',
    "no last resort": 'logging.lastResort = None; log.warning("w"); log.warning("w2")',
    "wrong arguments": 'logging.basicConfig(); log.warning("%d", "x"); log.warning("%s %s", 1)',
    "an exception": """
logging.basicConfig()
try:
    {}["missing"]
except KeyError:
    log.exception("failed"); log.warning("with stack", stack_info=True)
""",
    "a filter that changes records": """
class Shout(logging.Filter):
    def filter(self, record):
        record.msg = record.msg.upper()
        return "no" not in record.msg.lower()
logging.basicConfig(level=logging.INFO)
log.addFilter(Shout()); log.warning("yes"); log.warning("no")
""",
    "a formatter that prints every attribute": """
class All(logging.Formatter):
    def format(self, record):
        return repr(sorted(set(vars(record))))
handler = logging.StreamHandler(); handler.setFormatter(All()); log.addHandler(handler)
log.warning("w", extra={"user_id": 1})
""",
    "captured warnings": 'logging.basicConfig(); logging.captureWarnings(True); warnings.warn("old call", DeprecationWarning, stacklevel=1)',
    "a handler that raises": """
class Broken(logging.Handler):
    def emit(self, record):
        raise RuntimeError("broken handler")
log.addHandler(Broken())
try:
    log.warning("w")
except RuntimeError as error:
    print("raised", error)
""",
    "a queue": """
import queue, logging.handlers
q = queue.Queue(); listener = logging.handlers.QueueListener(q, logging.StreamHandler(sys.stdout))
logging.getLogger().addHandler(logging.handlers.QueueHandler(q)); listener.start(); log.warning("w %s", 1); listener.stop()
""",
    "Flask alone": FLASK,
    "Flask after basicConfig": "logging.basicConfig(level=logging.INFO)\n" + FLASK,
    "Flask in debug mode": FLASK.replace(
        'app = Flask("shop")', 'app = Flask("shop"); app.debug = True; app.config["PROPAGATE_EXCEPTIONS"] = False'
    ),
    "werkzeug's own lines": """
from werkzeug._internal import _log
_log("info", '127.0.0.1 - - [now] "%s" %s %s', "GET / HTTP/1.1", "200", "-")
_log("info", " * Running on http://127.0.0.1:5000")
""",
}


def console(folder: Path, code: str, with_sink: bool) -> tuple[str, str]:
    (folder / "app.py").write_text(SCRIPT + code)
    env = clean_env({"WITH_SINK": "1"} if with_sink else {})
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    # Times differ from run to run, and nothing else may.
    clock = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}")
    return clock.sub("<time>", done.stdout), clock.sub("<time>", done.stderr)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_console_is_the_same_with_and_without_the_sink(shape: str, tmp_path: Path) -> None:
    without = console(tmp_path, SHAPES[shape], with_sink=False)
    assert not (tmp_path / "logs").exists()
    assert without != ("", "")
    assert console(tmp_path, SHAPES[shape], with_sink=True) == without
    assert (tmp_path / "logs" / "chatbot.json.log").read_text()


def test_the_files_have_what_the_console_has_redacted(tmp_path: Path) -> None:
    _, err = console(tmp_path, FLASK, with_sink=True)
    assert "alice@example.com" in err
    text = (tmp_path / "logs" / "chatbot.json.log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["logger"] for line in lines] == ["shop", "library.part", "shop"]
    assert lines[2]["exception"]["message"] == "crashed for ****"
    assert "raise RuntimeError" in lines[2]["exception"]["stack"]
    assert "alice" not in text
    assert [json.loads(line)["message"] for line in (tmp_path / "logs" / "chatbot.error.log").read_text().splitlines()] == [
        "Exception on /crash [GET]"
    ]
