"""A Flask app without a line of telemetry that runs one scenario per request, as a chatbot calls its model in a view.

Run it from the folder tests/ under `opentelemetry-instrument`, or without: `python -m support.clients.app`. WIRES has the
model server's addresses, PORT the port to listen on.
"""

from __future__ import annotations

import json
import os
import warnings
from typing import Any

import flask

from .outcome import run
from .scenario import Prompt
from .table import BY_NAME

app = flask.Flask("clients")


@app.get("/run/<name>")
def run_one(name: str) -> Any:
    """The outcome of a scenario."""
    scenario = BY_NAME[name]
    prompt = Prompt.of(scenario, json.loads(os.environ["WIRES"]))
    return flask.jsonify(run(scenario, prompt))


@app.get("/up")
def up() -> Any:
    return "up"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    app.run("127.0.0.1", int(os.environ["PORT"]), threaded=True)
