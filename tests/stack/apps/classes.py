"""A chatbot of another shape, for tests: class-based views under a raw WSGI application, middleware around and between.

Nothing here knows of telemetry. Flask is mounted at /bot by a dispatcher; a WSGI function answers everything else. Messages
stand in a collection of their own and come in bulk, in transactions and unacknowledged; the cache is in memory.
"""

import os

from cachelib import SimpleCache
from flask import Flask, jsonify, request
from flask.views import MethodView
from pymongo import DeleteOne, InsertOne, MongoClient, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError
from werkzeug.middleware.dispatcher import DispatcherMiddleware

client = MongoClient(os.environ["MONGODB_URI"], connect=False)
database = client.get_default_database("bot")
cache = SimpleCache()
bot = Flask("bot", static_folder=None)


class Conversations(MethodView):
    """/conversations/<int:number>."""

    def get(self, number):
        known = cache.get(f"conversation:{number}")
        if known is None:
            known = [one["text"] for one in database.messages.find({"conversation": number}).batch_size(2)]
            cache.set(f"conversation:{number}", known)
        return jsonify(known)

    def put(self, number):
        made = database.conversations.update_one({"number": number}, {"$set": {"open": True}}, upsert=True)
        return "", 201 if made.upserted_id else 204

    def delete(self, number):
        database.messages.delete_many({"conversation": number})
        return "", 204


class Messages(MethodView):
    """/conversations/<int:number>/messages: many at once, in the ways that the query string names."""

    init_every_request = False

    def post(self, number):
        messages = [{"conversation": number, **one} for one in request.get_json()]
        return getattr(self, request.args["how"])(messages)

    def bulk(self, messages):
        """Inserts mixed with other writes."""
        writes = [InsertOne(one) for one in messages]
        writes += [UpdateOne({"text": "nobody wrote this"}, {"$set": {"seen": True}}), DeleteOne({"text": "nor this"})]
        return jsonify(database.messages.bulk_write(writes).inserted_count)

    def unordered(self, messages):
        """Two of them are the same document: one is refused, the others are written."""
        writes = [InsertOne({"_id": one["text"], **one}) for one in messages]
        try:
            database.messages.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            return jsonify(error.details["nInserted"]), 409
        return "", 500

    def together(self, messages):
        """In a transaction, which is given up when a message says so."""
        with client.start_session() as session, session.start_transaction():
            database.messages.insert_many(messages, session=session)
            if any(one["text"] == "never mind" for one in messages):
                session.abort_transaction()
                return "", 202
        return "", 201

    def unacknowledged(self, messages):
        database.get_collection("messages", write_concern=WriteConcern(w=0)).insert_one(messages[0])
        return "", 202


class Shouting:
    """Middleware that changes every answer on its way out, piece by piece, and refuses some requests itself."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"].startswith("/closed"):
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        return self.shouted(environ, start_response)

    def shouted(self, environ, start_response):
        body = self.inner(environ, start_response)
        try:
            for piece in body:
                yield piece.upper() if environ.get("HTTP_X_SHOUT") else piece
        finally:
            if hasattr(body, "close"):
                body.close()


bot.add_url_rule("/conversations/<int:number>", view_func=Conversations.as_view("conversations"))
bot.add_url_rule("/conversations/<int:number>/messages", view_func=Messages.as_view("messages"))
bot.wsgi_app = Shouting(bot.wsgi_app)


def landing(environ, start_response):
    """Everything that is not the bot."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


app = DispatcherMiddleware(landing, {"/bot": bot})
