"""structlog, loguru and other loggers with dictionaries: what they say becomes message and fields, in the files and over OTLP.

Each library runs as its own documentation sets it up, in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.process import clean_env

START = """
import json, logging, sys
from otel_chatbot import config
from otel_chatbot.logs import records, sink
from otel_chatbot.logs.redaction import policy
sink.install(config.Settings(log_dir="logs"))
exported = []
def export(record):
    copy = records.export_copy(record, policy())
    exported.append({"body": copy.getMessage(), **{k: v for k, v in vars(copy).items() if k not in records.RESERVED}})
sink.add_listener(export)
logging.getLogger().setLevel(logging.INFO)
def fail():
    try:
        raise ValueError("for alice@example.com")
    except ValueError as error:
        return error
"""
END = """
print(json.dumps(exported, default=str))
"""
STRUCTLOG = """
import structlog
pre = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, structlog.processors.TimeStamper()]
def configure(*last):
    structlog.configure(processors=[*pre, *last], logger_factory=structlog.stdlib.LoggerFactory(),
                        wrapper_class=structlog.stdlib.BoundLogger)
"""
WRAPPED = STRUCTLOG + "configure(structlog.stdlib.ProcessorFormatter.wrap_for_formatter)\n"
LOGURU = """
from loguru import logger
logger.remove()
class Propagate(logging.Handler):
    def emit(self, record):
        logging.getLogger(record.name).handle(record)
"""


def run(folder: Path, code: str) -> tuple[list[dict], list[dict], str]:
    """The lines of the file, what would be exported, and the console."""
    done = subprocess.run(
        [sys.executable, "-c", START + code + END],
        cwd=folder,
        env=clean_env(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Logging error" not in done.stderr, done.stderr
    text = (folder / "logs" / "chatbot.json.log").read_text()
    for secret in ("hunter2", "alice@example.com"):
        assert secret not in text
        assert secret not in done.stdout.splitlines()[-1]
    return [json.loads(line) for line in text.splitlines()], json.loads(done.stdout.splitlines()[-1]), done.stderr


def named(line: dict) -> dict:
    """What the application said: the line without what every line has."""
    every = {
        "timestamp",
        "timestamp_",
        "level",
        "logger",
        "message",
        "module",
        "function",
        "line",
        "process_id",
        "exception",
        "stack_info",
    }
    return {key: value for key, value in line.items() if key not in every}


@pytest.mark.parametrize(
    "last",
    [
        "structlog.stdlib.ProcessorFormatter.wrap_for_formatter",
        "structlog.stdlib.PositionalArgumentsFormatter(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter",
        "structlog.processors.EventRenamer('message'), structlog.stdlib.ProcessorFormatter.wrap_for_formatter",
        "structlog.processors.StackInfoRenderer(), structlog.stdlib.render_to_log_kwargs",
        "structlog.stdlib.render_to_log_args_and_kwargs",
    ],
)
def test_structlogs_event_is_the_message_and_its_fields_are_fields(last: str, tmp_path: Path) -> None:
    lines, exported, _ = run(
        tmp_path,
        STRUCTLOG
        + f"configure({last})\n"
        + "structlog.get_logger('chat').info('user_asked', model='gpt', password='hunter2', n=3, deep={'token': 'hunter2'})\n"
        + "structlog.stdlib.get_logger('k').bind(x=1).warning('second', mail='alice@example.com', name='n')\n",
    )
    fields = {"model": "gpt", "password": "****", "n": 3, "deep": {"token": "****"}}
    assert [line["message"] for line in lines] == ["user_asked", "second"]
    assert [line["logger"] for line in lines] == ["chat", "k"]
    assert named(lines[0]) == fields
    assert {**named(lines[1]), "name_": "n"} == {"x": 1, "mail": "****", "name_": "n"}
    assert exported[0]["body"] == "user_asked"
    assert fields.items() <= exported[0].items()


@pytest.mark.parametrize("before", ["", "structlog.processors.format_exc_info, "])
def test_structlogs_exception_is_the_lines_exception(before: str, tmp_path: Path) -> None:
    lines, exported, _ = run(
        tmp_path,
        STRUCTLOG
        + f"configure({before}structlog.stdlib.ProcessorFormatter.wrap_for_formatter)\n"
        + "log = structlog.get_logger('chat')\n"
        + "try:\n    raise ValueError('for alice@example.com')\nexcept ValueError:\n    log.exception('broke', n=1)\n"
        + "log.error('given', exc_info=fail())\n",
    )
    for line in lines:
        assert line["exception"]["stack"].endswith("ValueError: for ****")
        assert "exc_info" not in named(line)
    assert [line["message"] for line in lines] == ["broke", "given"]
    assert named(lines[0]) == {"n": 1}
    if not before:
        assert exported[0]["exception.type"] == lines[0]["exception"]["type"] == "ValueError"


def test_structlogs_own_formatter_goes_on_showing_what_it_shows(tmp_path: Path) -> None:
    *_, console = run(
        tmp_path,
        WRAPPED
        + "h = logging.StreamHandler(); h.setFormatter(structlog.stdlib.ProcessorFormatter(processors=["
        + "structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer(sort_keys=True)]))\n"
        + "logging.getLogger().addHandler(h)\n"
        + "structlog.get_logger('chat').info('user_asked', password='hunter2')\n",
    )
    shown = json.loads(console)
    assert (shown["event"], shown["password"], shown["level"], shown["logger"]) == ("user_asked", "hunter2", "info", "chat")


def test_an_event_that_is_no_text_is_shown_as_one(tmp_path: Path) -> None:
    lines, _, _ = run(
        tmp_path,
        WRAPPED
        + "log = structlog.get_logger('chat')\n"
        + "log.info(7, n=1)\nlog.info({'password': 'hunter2', 'a': 1})\nlog.info(ValueError('x'))\n",
    )
    assert [line["message"] for line in lines] == ["7", "{'password': '****', 'a': 1}", "x"]


def test_what_was_bound_in_loguru_are_fields_behind_its_handler_for_logging(tmp_path: Path) -> None:
    lines, exported, _ = run(
        tmp_path,
        LOGURU
        + "logger.add(Propagate(), format='{message}')\n"
        + "logger.bind(user='u1', password='hunter2').info('asked {}', 'x')\n"
        + "logger.success('done')\n"
        + "try:\n    raise ValueError('for alice@example.com')\nexcept ValueError:\n    logger.bind(n=1).exception('broke')\n",
    )
    assert [(line["level"], line["message"]) for line in lines] == [
        ("INFO", "asked x"),
        ("SUCCESS", "done"),
        ("ERROR", "broke"),
    ]
    assert [named(line) for line in lines] == [{"user": "u1", "password": "****"}, {}, {"n": 1}]
    assert lines[2]["exception"]["type"] == "ValueError"
    assert lines[2]["exception"]["message"] == "for ****"
    assert (exported[0]["body"], exported[0]["user"], exported[0]["password"]) == ("asked x", "u1", "****")


def test_logurus_record_given_as_a_message_is_message_fields_and_exception(tmp_path: Path) -> None:
    lines, exported, _ = run(
        tmp_path,
        LOGURU
        + "def sink_(message):\n"
        + "    record = message.record\n"
        + "    logging.getLogger(record['name']).log(record['level'].no, record)\n"
        + "logger.add(sink_)\n"
        + "logger.bind(user='u1', password='hunter2').warning('asked')\n"
        + "logger.opt(exception=fail()).error('broke')\n",
    )
    assert [(line["level"], line["message"]) for line in lines] == [("WARNING", "asked"), ("ERROR", "broke")]
    own = {"name_", "function_", "line_", "module_"}
    assert {k: v for k, v in named(lines[0]).items() if k not in own} == {"user": "u1", "password": "****"}
    assert lines[1]["exception"]["message"] == "for ****"
    assert (exported[0]["body"], exported[0]["user"]) == ("asked", "u1")


@pytest.mark.parametrize(
    ("call", "message", "fields"),
    [
        ("log.info({'message': 'm', 'a': 1, 'password': 'hunter2'})", "m", {"a": 1, "password": "****"}),
        ("log.info({'event': 'e', 'a': {'token': 'hunter2'}})", "e", {"a": {"token": "****"}}),
        ("log.info({'a': 1, 'password': ['hunter2']})", "{'a': 1, 'password': '****'}", {"a": 1, "password": "****"}),
        ("log.info({'message': 'm', 'level': 'info', 'logger': 'app', 'mail': 'alice@example.com'})", "m", {"mail": "****"}),
        ("log.info({'message': 'm', 'level': 3})", "m", {"level_": 3}),
        ("log.info({1: 2, 'msg': 'm'}, extra={'b': 2})", "m", {"1": 2, "b": 2}),
        ("log.info('m', extra={'extra': {'a': 1, 'password': 'hunter2'}, 'a': 2})", "m", {"a": 2, "a_": 1, "password": "****"}),
        ("import types; log.info(types.MappingProxyType({'message': 'm', 'a': 1}))", "m", {"a": 1}),
        ("log.info({})", "{}", {}),
        ("log.info({'a': 1}, 2)", "{'a': 1} [not formatted, TypeError: [2]]", {}),
    ],
)
def test_a_dictionary_as_a_message_is_message_and_fields(call: str, message: str, fields: dict, tmp_path: Path) -> None:
    lines, exported, _ = run(
        tmp_path,
        "logging.raiseExceptions = False\n"
        "from pythonjsonlogger.json import JsonFormatter\n"
        "h = logging.StreamHandler(); h.setFormatter(JsonFormatter()); logging.getLogger().addHandler(h)\n"
        "log = logging.getLogger('app')\n" + call,
    )
    assert lines[0]["message"] == exported[0]["body"] == message
    assert named(lines[0]) == fields
    assert fields.items() <= exported[0].items()


def test_a_dictionary_that_cannot_be_read_is_a_line_all_the_same(tmp_path: Path) -> None:
    lines, _, _ = run(
        tmp_path,
        "import collections.abc\n"
        "class Hostile(collections.abc.Mapping):\n"
        "    def __getitem__(self, key): raise RuntimeError(key)\n"
        "    def __iter__(self): raise RuntimeError('no')\n"
        "    def __len__(self): return 3\n"
        "    def __str__(self): return 'hostile'\n"
        "logging.getLogger('app').info(Hostile())\n"
        "logging.getLogger('app').info({n: n for n in range(100_000)})\n",
    )
    assert lines[0]["message"] == "hostile"
    assert named(lines[1])["..."] == "<99800 left out>"


def test_the_applications_dictionary_and_record_stay_as_they_are(tmp_path: Path) -> None:
    run(
        tmp_path,
        "given = {'message': 'm', 'exc_info': True, 'level': 'info', 'deep': {'password': 'p'}}\n"
        "kept = []\n"
        "class Keep(logging.Handler):\n"
        "    def emit(self, record): kept.append((record.msg, record.getMessage()))\n"
        "logging.getLogger().addHandler(Keep())\n"
        "logging.getLogger('app').info(given)\n"
        "assert given == {'message': 'm', 'exc_info': True, 'level': 'info', 'deep': {'password': 'p'}}\n"
        "assert kept == [(given, str(given))] and kept[0][0] is given\n",
    )
