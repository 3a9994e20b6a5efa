"""Runs scenarios one after the other in a plain script, without Flask, and prints a line of JSON for each.

cd tests; WIRES='{"url": "http://127.0.0.1:PORT"}' opentelemetry-instrument python -m support.clients.script openai-chat-plain
"""

from __future__ import annotations

import json
import os
import sys

from .outcome import run
from .scenario import Prompt
from .table import BY_NAME


def main(names: list[str]) -> None:
    addresses = json.loads(os.environ["WIRES"])
    for name in names:
        prompt = Prompt.of(BY_NAME[name], addresses)
        print(json.dumps({"scenario": name, **run(BY_NAME[name], prompt)}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
