"""A spool with foreign, broken and half-written files in it, and two versions of the package on one: nobody is in another's way."""

from __future__ import annotations

from pathlib import Path

from support.outage import APP, Arrived, Load, dropped, gunicorn, spool_of
from support.process import free_port, wait_for

from otel_chatbot.distro.delivery.spool import Payload
from otel_chatbot.semconv.attributes import Signal
from otel_chatbot.testing import OtlpSink

LATER = "import otel_chatbot.distro.delivery.spool as spool\nspool.FORMAT += 1\n" + APP
"""The app with a later version of the package, whose files the earlier one does not know."""


def test_what_is_broken_or_foreign_in_the_spool_is_counted_or_left_alone_and_the_rest_is_sent(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "spool"
    folder.mkdir(parents=True)
    whole = Payload(Signal.TRACES, b"\n\x02whole").to_bytes()
    broken = {
        "truncated": whole[:-3], "garbled": bytes(100), "empty": b"", "no header": b"a" * 5000, "altered": whole[:-1] + b"x",
    }  # fmt: skip
    for number, content in enumerate(broken.values()):
        (folder / f"{number:020}-1-{number}.traces.otlp").write_bytes(content)
    later = folder / f"{9:020}-1-9.logs.otlp"
    later.write_bytes(b'{"v":9,"new":true}\nbody')
    foreign = {"notes.txt": b"mine", "traces.otlp": b"x", ".hidden": b"", f"{1:020}-1-1.cheese.otlp": b"?"}
    for name, content in foreign.items():
        (folder / name).write_bytes(content)
    (folder / f"{1:020}-1-1.logs.otlp").mkdir()
    with OtlpSink() as sink, gunicorn(tmp_path, sink.endpoint) as app:
        with Load(app.port) as load:
            wait_for(lambda: len(Arrived([sink]).spans) > 20, "spans", 60)
        wait_for(lambda: Arrived([sink]).spans.keys() == load.answered.keys(), "all spans", 60)
        wait_for(
            lambda: {path.name for path in spool_of(tmp_path)} - foreign.keys() == {later.name}, "what nobody here can send", 60
        )
        assert dropped(app, signal="traces", reason="corrupt") == len(broken)
        assert dropped(app, signal="logs", reason="corrupt") == 1
        assert dropped(app) == len(broken) + 1
        app.end()
    assert later.read_bytes() == b'{"v":9,"new":true}\nbody'
    assert {name: (folder / name).read_bytes() for name in foreign} == foreign
    assert len(list((folder / "corrupt").iterdir())) == len(broken) + 1
    assert "Traceback" not in app.stderr
    assert app.stderr.count("cannot be read") == 1


def test_two_versions_of_the_package_share_a_spool_and_everything_of_both_arrives_once(tmp_path: Path) -> None:
    port, both = free_port(), {"CHATBOT_OTEL_SPOOL_DIR": str(tmp_path / "logs" / "spool")}
    endpoint = f"http://127.0.0.1:{port}"
    with (
        gunicorn(tmp_path / "now", endpoint, **both) as now,
        gunicorn(tmp_path / "later", endpoint, source=LATER, **both) as later,
    ):
        with Load(now.port) as of_now, Load(later.port, first=1_000_000) as of_later:
            wait_for(lambda: len(of_now.answered) > 50 and len(of_later.answered) > 50, "requests of both", 60)
            wait_for(lambda: {path.read_bytes()[:8] for path in spool_of(tmp_path)} == {b'{"v": 1,', b'{"v": 2,'}, "files", 60)
        with OtlpSink(port) as sink:
            wait_for(lambda: Arrived([sink]).spans.keys() >= of_now.answered.keys(), "what both versions know", 120)
            assert dropped(now) == dropped(later) == 0
            now.end()
            everything = of_now.answered.keys() | of_later.answered.keys()
            wait_for(lambda: Arrived([sink]).spans.keys() == Arrived([sink]).logs.keys() == everything, "all of both", 120)
            wait_for(lambda: not spool_of(tmp_path), "an empty spool", 60)
            later.end()
            arrived = Arrived([sink])
    assert max(arrived.span_ids.values()) == max(arrived.logs.values()) == 1
    for app in (now, later):
        assert "Traceback" not in app.stderr
        assert app.stderr.count("written by a later version of the package") <= 2, "a line for each that sent"
