"""The chatbot's Flask app: the environment's settings go in, a WSGI app comes out.

`python app.py` starts it for development; `gunicorn app:app` serves it. It knows nothing of telemetry:
`opentelemetry-instrument` in front of either command is enough to observe it.
"""

import logging
import os

from flask import Flask, Response, jsonify
from pymongo.errors import PyMongoError
from werkzeug.exceptions import HTTPException

from answers import Answers
from conversations import Conversations
from views import views

log = logging.getLogger("chatbot.app")


def create_app() -> Flask:
    """Make the app. Nothing is connected here, so that a server may fork after it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 256 * 1024
    app.json.sort_keys = False
    app.json.ensure_ascii = False
    app.extensions["conversations"] = Conversations(os.environ.get("MONGODB_URI") or "mongodb://127.0.0.1:27017/chatbot")
    app.extensions["answers"] = Answers.from_environment()
    app.register_blueprint(views)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(PyMongoError, database_error)
    return app


def http_error(error: HTTPException) -> tuple[Response, int]:
    """Answer every refusal and every crash with JSON and a reason."""
    return jsonify(error=error.description), error.code or 500


def database_error(error: PyMongoError) -> tuple[Response, int]:
    log.error("The database failed: %s", type(error).__name__, exc_info=error)
    return jsonify(error="The database is not available at the moment. Please try again in a little while."), 503


app = create_app()

if __name__ == "__main__":
    app.run(host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "5000")), threaded=True)
