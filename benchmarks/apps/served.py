"""A small Flask app for gunicorn: a number, said in a log record and in the answer. Fed by `outage.py`."""

import logging

from flask import Flask

app = Flask("bench")
log = logging.getLogger("bench")
log.setLevel("INFO")


@app.get("/r/<int:number>")
def answer(number: int) -> str:
    log.info("answer %d", number)
    return f"{number}"
