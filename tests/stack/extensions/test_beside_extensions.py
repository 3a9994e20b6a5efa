"""Beside Flask's usual extensions: our routes answer, whatever those ask of an app's views; their aborts are no errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.extended import Extended
from support.process import COMPILED_ONCE, Process, wait_for

APPS = Path(__file__).resolve().parents[1] / "apps"
REST = """
import os
import flask_restful
import flask_restx
from flask import Flask, abort
from werkzeug.exceptions import NotFound

app = Flask(__name__)
api = flask_restful.Api(app)
apix = flask_restx.Api(app, prefix="/x", doc=False)


class Gone(NotFound):
    code = 410


class Restful(flask_restful.Resource):
    def get(self):
        flask_restful.abort(404, message="no such chat")


@apix.route("/chat")
class Restx(flask_restx.Resource):
    def get(self):
        flask_restx.abort(404, "no such chat")

    def put(self):
        raise Gone

    def delete(self):
        raise LookupError("no such chat")


@apix.errorhandler(LookupError)
def not_there(error):
    return {"message": "not there"}, 404


class Broken(flask_restful.Resource):
    def get(self):
        raise ZeroDivisionError


api.add_resource(Restful, "/chat")
api.add_resource(Broken, "/broken")
app.add_url_rule("/plain", "plain", lambda: "plain")
app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
"""


def test_our_routes_answer_beside_the_usual_extensions(tmp_path: Path, extensions: Path) -> None:
    command = [str(extensions / "opentelemetry-instrument"), str(extensions / "python"), str(APPS / "extended.py")]
    env = {"PATH": f"{extensions}:/usr/bin:/bin", **COMPILED_ONCE}
    with Process(command, tmp_path, env, name="extended") as process:
        assert process.popen.wait(120) == 0, process.stderr
        answers = json.loads(process.stdout)
    assert len(answers) == 19
    refused = {(name, path): code for name, codes in answers.items() for path, code in codes.items() if code != 200}
    assert refused == {}, process.stderr


def test_what_an_extension_answers_below_500_is_no_error_whatever_was_raised_inside(tmp_path: Path, extensions: Path) -> None:
    (tmp_path / "rest.py").write_text(REST)
    with Extended(extensions, tmp_path, "python", str(tmp_path / "rest.py")) as app:
        asked = [("GET", "/chat"), ("GET", "/x/chat"), ("POST", "/chat"), ("PUT", "/x/chat"), ("DELETE", "/x/chat")]
        assert [app.request(*each).status for each in asked] == [404, 404, 405, 410, 404]
        assert app.total("chatbot_errors_total") == 0
        assert app.get("/broken").status == 500
        assert app.total("chatbot_errors_total", error_type="ZeroDivisionError") == app.total("chatbot_errors_total") == 1
        failed = app.samples("http_server_request_duration_seconds_count")
        assert [labels for labels in map(dict, failed) if "error_type" in labels] == [
            labels for labels in map(dict, failed) if labels.get("http_response_status_code") == "500"
        ]
        wait_for(lambda: len(app.spans()) == 7, "the spans")
    assert [span.name for span in app.spans() if span.error] == ["GET /broken"]


SENTRY = """
import logging, os
{before}
import sentry_sdk
from sentry_sdk.integrations.flask import FlaskIntegration
events = []
told = dict(dsn="http://key@127.0.0.1:9/1", before_send=lambda event, hint: events.append(event) and None)
{init}
{after}
from flask import Flask
app = Flask(__name__)
app.add_url_rule("/plain", "plain", lambda: "plain")

@app.get("/tell")
def tell():
    logging.getLogger("shop").error("told")
    return str(sum("told" in str(event.get("logentry")) for event in events))

app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
"""


ALL_OF_IT = "sentry_sdk.init(**told)"
FOR_FLASK = "sentry_sdk.init(**told, auto_enabling_integrations=False, integrations=[FlaskIntegration()])"
"""Without a look at each library that is installed: that takes six seconds."""


@pytest.mark.parametrize(
    ("instrumented", "before", "after"),
    [
        (False, "import otel_chatbot", "otel_chatbot.setup_logger()"),
        (True, "", ""),
        (True, "", "from otel_chatbot import get_logger, setup_logger; setup_logger(); get_logger('shop')"),
        (True, "", "import otel_chatbot; otel_chatbot.instrument()"),
        (True, "from otel_chatbot import setup_logger; setup_logger()", ""),
    ],
    ids=["set up by hand after sentry", "sentry alone", "set up after sentry", "instrumented again", "set up before sentry"],
)
def test_sentry_and_the_files_each_have_every_error_once(
    tmp_path: Path, extensions: Path, instrumented: bool, before: str, after: str
) -> None:
    init = FOR_FLASK if before or after else ALL_OF_IT
    (tmp_path / "told.py").write_text(SENTRY.format(before=before, init=init, after=after))
    with Extended(extensions, tmp_path, "python", str(tmp_path / "told.py"), instrumented=instrumented) as app:
        assert [app.get("/tell").text for _ in range(2)] == ["1", "2"]
    assert [line["message"] for line in app.log_records() if line["message"] == "told"] == ["told"] * 2


FROZEN = """
import logging, time
from freezegun import freeze_time
import otel_chatbot
otel_chatbot.instrument()
from flask import Flask
app = Flask(__name__)
app.add_url_rule("/plain", "plain", lambda: "plain")
client = app.test_client()
before = logging.Logger.callHandlers, Flask.__call__, time.time
for _ in range(2):
    with freeze_time("2001-01-01"):
        assert client.get("/plain").status_code == client.get("/metrics").status_code == 200
        logging.getLogger("shop").error("in 2001")
    assert client.get("/plain").status_code == 200
    logging.getLogger("shop").error("today")
assert before == (logging.Logger.callHandlers, Flask.__call__, time.time)
text = client.get("/metrics").text
assert 'chatbot_api_requests_total{http_request_method="GET",http_route="/plain",http_response_status_code="200"} 4.0' in text
"""


def test_a_frozen_clock_takes_nothing_from_the_logs_and_figures_and_leaves_nothing_behind(
    tmp_path: Path, extensions: Path
) -> None:
    env = {"CHATBOT_OTEL_LOG_DIR": str(tmp_path / "logs")}
    with Process([str(extensions / "python"), "-c", FROZEN], tmp_path, env, name="frozen") as process:
        assert process.popen.wait(60) == 0, process.stderr
    lines = [json.loads(line) for line in (tmp_path / "logs" / "chatbot.json.log").read_text().splitlines()]
    assert [line["message"] for line in lines if line["logger"] == "shop"] == ["in 2001", "today"] * 2
