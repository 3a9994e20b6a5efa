"""What happens around a fork: in the order of one list, whatever was imported first, and whatever fails."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
from support.process import clean_env

from otel_chatbot import _fork

PACKAGE = Path(_fork.__file__).parent

PROGRAM = """
import json, logging, os, sys
from otel_chatbot import _fork

seen = []
{setup}
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, json.dumps(seen).encode())
    os._exit(0)
os.wait()
print(json.dumps({{"parent": seen, "child": json.loads(os.read(read, 65536))}}))
"""

NOTED = """
for place in reversed([*_fork.ORDER, *_fork.AFTER_UPSTREAM]):  # as badly as imports could come
    _fork.at_fork(
        "otel_chatbot." + place,
        before=lambda place=place: seen.append("before " + place),
        in_parent=lambda place=place: seen.append("parent " + place),
        in_child=lambda place=place: seen.append("child " + place),
    )
"""


def run(setup: str) -> dict[str, Any]:
    command = [sys.executable, "-W", "error", "-c", PROGRAM.format(setup=setup)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_env(), check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "stderr": done.stderr}


def test_hooks_run_in_the_order_of_the_list_and_before_the_fork_in_the_reverse() -> None:
    found = run(NOTED)
    places = [*_fork.ORDER, *_fork.AFTER_UPSTREAM]
    before = [f"before {place}" for place in reversed(places)]
    assert found["parent"] == [*before, *(f"parent {place}" for place in places)]
    assert found["child"] == [*before, *(f"child {place}" for place in places)]


def test_what_repairs_upstream_runs_after_the_hooks_of_every_provider_that_was_set_up() -> None:
    found = run(
        NOTED
        + """
for _ in range(2):
    os.register_at_fork(after_in_child=lambda: seen.append("upstream"))
    _fork.come_after_upstream()
"""
    )
    after = found["child"][found["child"].index("child " + _fork.ORDER[-1]) + 1 :]
    assert after == ["upstream", "upstream", *(f"child {place}" for place in _fork.AFTER_UPSTREAM)], "each once, and last"


def test_a_provider_that_is_set_up_later_is_repaired_after_its_own_hooks_too() -> None:
    found = run(
        """
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from otel_chatbot.distro import sdk_private
providers = [MeterProvider(resource=Resource({"service.instance.id": "theirs"})) for _ in range(1)]
sdk_private.keep_resource_after_fork(providers[0], {"service.instance.id": "first"})
providers.append(MeterProvider(resource=Resource({"service.instance.id": "theirs"})))
sdk_private.keep_resource_after_fork(providers[1], {"service.instance.id": "second"})
class Later(list):
    def __iter__(self):
        return iter([sdk_private.resource_of(provider).attributes["service.instance.id"] for provider in providers])
os.register_at_fork(after_in_child=lambda: seen.extend(Later()))
"""
    )
    assert found["child"] == ["first", "second"]


def test_a_hook_that_fails_stops_no_other_and_is_reported_when_no_lock_is_held() -> None:
    found = run(
        """
def fail():
    raise OSError("disk")
_fork.at_fork("otel_chatbot.metrics.store", before=fail, in_child=fail)
_fork.at_fork("otel_chatbot.metrics.store", before=lambda: seen.append("before"), in_child=lambda: seen.append("child"))
_fork.at_fork("otel_chatbot.logs.sink", before=lambda: seen.append("last before"), in_child=lambda: seen.append("first child"))
"""
    )
    assert found["child"] == ["before", "last before", "first child", "child"]
    assert found["stderr"].count("telemetry fault in the fork hook of metrics.store: OSError") == 2, "parent and child"


def test_an_object_with_a_hook_can_still_go() -> None:
    class Owner:
        def renew(self) -> None:
            """Nothing."""

    owner = Owner()
    gone = weakref.ref(owner)
    _fork.at_fork("otel_chatbot.metrics.store", in_child=owner.renew)
    del owner
    gc.collect()
    assert gone() is None


def test_a_module_without_a_turn_is_told_where_to_take_one() -> None:
    with pytest.raises(ValueError, match=r"otel_chatbot\.elsewhere has no turn.*ORDER of otel_chatbot/_fork\.py"):
        _fork.at_fork("otel_chatbot.elsewhere", in_child=print)


def test_every_module_of_the_list_takes_part_and_nothing_else_registers_with_python() -> None:
    sources = {path.relative_to(PACKAGE).with_suffix(""): path.read_text() for path in PACKAGE.rglob("*.py")}
    taking_part = {
        ".".join(name.parts) for name, text in sources.items() if re.search(r"^ *at_fork\(__name__,", text, re.MULTILINE)
    }
    assert taking_part == {*_fork.ORDER, *_fork.AFTER_UPSTREAM}
    registering = {str(name) for name, text in sources.items() if "register_at_fork" in text}
    assert registering == {"_fork"}, "hooks around a fork stand in one list: otel_chatbot/_fork.py"
