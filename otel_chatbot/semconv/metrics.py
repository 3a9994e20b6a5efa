"""The table of metrics: one row per metric, read by everything that makes, shows or documents one.

Fed by `semconv.spec` and `semconv.attributes`; feeds the store, the exposition, dashboards, rules and documentation.
To add a metric: add a row here, the line that records it, and a test of that; then run `otel-chatbot render`.
"""

from __future__ import annotations

from . import attributes as a
from .spec import MetricSpec, Source
from .spec import counter as _counter
from .spec import gauge as _gauge
from .spec import histogram as _histogram
from .spec import up_down as _up_down

SLOW_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds; for what a person waits for."""
FAST_EDGES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; for databases and caches."""
HTTP_EDGES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0)
"""Seconds; the HTTP convention's edges and three more for streamed answers."""
DB_EDGES = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Seconds; the database convention's edges."""
GEN_AI_DURATION_EDGES = tuple(round(0.01 * 2**i, 2) for i in range(14))
"""Seconds; the GenAI convention's edges for whole calls."""
GEN_AI_TOKEN_EDGES = tuple(float(4**i) for i in range(14))
"""Tokens; the GenAI convention's edges."""
GEN_AI_FIRST_CHUNK_EDGES = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
GEN_AI_CHUNK_EDGES = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)

_REQUEST = (a.HTTP_METHOD, a.HTTP_ROUTE, a.HTTP_STATUS)
_POOL = (a.DB_SYSTEM, a.POOL_NAME)
_GEN_AI = (a.GEN_AI_OPERATION, a.GEN_AI_PROVIDER, a.GEN_AI_REQUEST_MODEL, a.GEN_AI_RESPONSE_MODEL)


# The public ones, which have a Python name and say what fills them, in the order in which they are listed everywhere.
CONVERSATIONS_CREATED = _counter(
    "chatbot.conversations.created", "{conversation}", "Conversations created", (), "conversations_created",
    Source.MONGODB, Source.REDIS,
)  # fmt: skip
MESSAGES_SENT = _counter(
    "chatbot.messages.sent", "{message}", "Messages sent by users", (), "messages_sent",
    Source.MONGODB, Source.REDIS, Source.GENAI,
)  # fmt: skip
MESSAGES_RECEIVED = _counter(
    "chatbot.messages.received", "{message}", "Messages received from the assistant",
    (), "messages_received", Source.MONGODB, Source.REDIS, Source.GENAI,
)  # fmt: skip
CACHE_HITS = _counter(
    "chatbot.cache.hits", "{hit}", "Cache reads that returned a value", (a.DB_SYSTEM,), "cache_hits",
    Source.REDIS, Source.CACHELIB,
)  # fmt: skip
CACHE_MISSES = _counter(
    "chatbot.cache.misses", "{miss}", "Cache reads that returned none", (a.DB_SYSTEM,), "cache_misses",
    Source.REDIS, Source.CACHELIB,
)  # fmt: skip
DB_QUERIES = _counter(
    "chatbot.db.queries",
    "{query}",
    "Database commands, failed ones too",
    (a.DB_OPERATION, a.DB_COLLECTION, a.ERROR_TYPE),
    "db_queries",
    Source.MONGODB,
)
ERRORS = _counter(
    "chatbot.errors",
    "{error}",
    "Unhandled exceptions, 5xx answers and failed AI calls",
    (a.ERROR_TYPE,),
    "errors_total",
    Source.FLASK,
    Source.GENAI,
)
API_REQUESTS = _counter(
    "chatbot.api.requests", "{request}", "HTTP requests, probes and scrapes left out", _REQUEST, "api_requests", Source.FLASK
)
ACTIVE_CONVERSATIONS = _gauge(
    "chatbot.active_conversations",
    "{conversation}",
    "Distinct conversations seen in the sliding window",
    (),
    "active_conversations",
    Source.FLASK,
)
ACTIVE_USERS = _gauge(
    "chatbot.active_users", "{user}", "Distinct users seen in the sliding window", (), "active_users", Source.FLASK
)
CACHE_SIZE = _gauge(
    "chatbot.cache.size", "{key}", "Keys in the cache", (a.DB_SYSTEM,), "cache_size", Source.REDIS, Source.CACHELIB
)
DB_CONNECTIONS = _gauge(
    "chatbot.db.connections",
    "{connection}",
    "Database connections in the pools",
    (a.CONNECTION_STATE,),
    "db_connections",
    Source.MONGODB,
)
RESPONSE_TIME = _histogram(
    "chatbot.response.time",
    "s",
    "Time from a request to the last byte of its answer",
    _REQUEST,
    SLOW_EDGES,
    "response_time",
    Source.FLASK,
)
DB_QUERY_TIME = _histogram(
    "chatbot.db.query.time",
    "s",
    "Time of database commands",
    (a.DB_OPERATION, a.DB_COLLECTION),
    FAST_EDGES,
    "db_query_time",
    Source.MONGODB,
)
AI_RESPONSE_TIME = _histogram(
    "chatbot.ai.response.time",
    "s",
    "Time of AI calls until the stream ends",
    (a.GEN_AI_PROVIDER, a.GEN_AI_REQUEST_MODEL, a.ERROR_TYPE),
    SLOW_EDGES,
    "ai_response_time",
    Source.GENAI,
)
CACHE_OPERATION_TIME = _histogram(
    "chatbot.cache.operation.time",
    "s",
    "Time of cache operations",
    (a.DB_OPERATION,),
    FAST_EDGES,
    "cache_operation_time",
    Source.REDIS,
    Source.CACHELIB,
)

# Our own beside them.
AI_COST = _counter("chatbot.ai.cost", "{USD}", "Cost of AI calls", (a.GEN_AI_PROVIDER, a.GEN_AI_REQUEST_MODEL))
AI_COST_SAVED = _counter(
    "chatbot.ai.cost.saved", "{USD}", "Cost that cached answers saved", (a.GEN_AI_PROVIDER, a.GEN_AI_REQUEST_MODEL)
)
AI_UNPRICED = _counter("chatbot.ai.unpriced", "{call}", "AI calls of models without a price", (a.GEN_AI_REQUEST_MODEL,))
FEEDBACK = _gauge(
    "chatbot.feedback",
    "{answer}",
    "Answers that users have rated, each once per user by the present rating; the same in every process and after a restart",
    (a.RATING, a.GEN_AI_REQUEST_MODEL, a.RELEASE),
)
FEEDBACK_REFUSED = _counter(
    "chatbot.feedback.refused", "{rating}", "Ratings that were not taken, by reason", (a.FEEDBACK_REASON,)
)
TURN_TIME = _histogram("chatbot.turn.time", "s", "Where the time of a chat turn went", (a.PHASE,), SLOW_EDGES)
_BUDGET = (a.BUDGET_NAME, a.BUDGET_SCOPE, a.BUDGET_UNIT)
BUDGET_SPENT = _gauge(
    "chatbot.budget.spent",
    "{amount}",
    "What was spent in the running period, in dollars or tokens; of users or conversations: the one that spent most",
    _BUDGET,
)
BUDGET_LIMIT = _gauge("chatbot.budget.limit", "{amount}", "What may be spent in a period, in dollars or tokens", _BUDGET)
BUDGET_FORECAST = _gauge(
    "chatbot.budget.forecast",
    "{amount}",
    "What will be spent at the end of the period, at the rate since its beginning",
    _BUDGET,
)
BUDGET_REACHED = _gauge(
    "chatbot.budget.reached",
    "{subject}",
    "Users or conversations that have spent so many percent of what each of them may spend",
    (a.BUDGET_NAME, a.BUDGET_SCOPE, a.BUDGET_LEVEL),
)
BUDGET_REFUSED = _counter(
    "chatbot.budget.refused", "{call}", "Model calls that a budget has forbidden", (a.BUDGET_NAME, a.BUDGET_SCOPE)
)
LEDGER_UNAVAILABLE = _counter(
    "chatbot.ledger.unavailable", "{question}", "Questions about budgets while the ledger was away", (a.LEDGER_USE,)
)
HEALTH_CHECK_DURATION = _histogram("chatbot.health.check.duration", "s", "Time of health checks", (a.CHECK,), FAST_EDGES)
HEALTH_STATUS = _gauge("chatbot.health.status", "{status}", "Health checks: 1 healthy, 0.5 degraded, 0 unhealthy", (a.CHECK,))
TELEMETRY_DROPPED = _counter(
    "chatbot.telemetry.dropped", "{item}", "Telemetry that was not kept, by reason", (a.SIGNAL, a.REASON)
)
SPOOL_SIZE = _gauge("chatbot.telemetry.spool.size", "By", "Telemetry on disk that waits to be sent")

# The conventions'.
HTTP_SERVER_DURATION = _histogram(
    "http.server.request.duration",
    "s",
    "Duration of HTTP server requests.",
    (a.HTTP_METHOD, a.HTTP_ROUTE, a.HTTP_STATUS, a.ERROR_TYPE, a.URL_SCHEME, a.PROTOCOL_VERSION),
    HTTP_EDGES,
)
HTTP_SERVER_ACTIVE = _up_down(
    "http.server.active_requests", "{request}", "Number of active HTTP server requests.", (a.HTTP_METHOD, a.URL_SCHEME)
)
DB_CLIENT_DURATION = _histogram(
    "db.client.operation.duration",
    "s",
    "Duration of database client operations.",
    (
        a.DB_SYSTEM,
        a.DB_OPERATION,
        a.DB_COLLECTION,
        a.DB_NAMESPACE,
        a.DB_STATUS,
        a.ERROR_TYPE,
        a.SERVER_ADDRESS,
        a.SERVER_PORT,
    ),
    DB_EDGES,
)
CONNECTION_COUNT = _up_down(
    "db.client.connection.count",
    "{connection}",
    "The number of connections that are currently in state described by the state attribute.",
    (*_POOL, a.CONNECTION_STATE),
)
CONNECTION_IDLE_MAX = _up_down(
    "db.client.connection.idle.max", "{connection}", "The maximum number of idle open connections allowed.", _POOL
)
CONNECTION_IDLE_MIN = _up_down(
    "db.client.connection.idle.min", "{connection}", "The minimum number of idle open connections allowed.", _POOL
)
CONNECTION_MAX = _up_down("db.client.connection.max", "{connection}", "The maximum number of open connections allowed.", _POOL)
CONNECTION_PENDING = _up_down(
    "db.client.connection.pending_requests",
    "{request}",
    "The number of current pending requests for an open connection.",
    _POOL,
)
CONNECTION_TIMEOUTS = _counter(
    "db.client.connection.timeouts",
    "{timeout}",
    "The number of connection timeouts that have occurred trying to obtain a connection from the pool.",
    _POOL,
)
CONNECTION_CREATE_TIME = _histogram(
    "db.client.connection.create_time", "s", "The time it took to create a new connection.", _POOL, FAST_EDGES
)
CONNECTION_WAIT_TIME = _histogram(
    "db.client.connection.wait_time", "s", "The time it took to obtain an open connection from the pool.", _POOL, FAST_EDGES
)
CONNECTION_USE_TIME = _histogram(
    "db.client.connection.use_time",
    "s",
    "The time between borrowing a connection and returning it to the pool.",
    _POOL,
    FAST_EDGES,
)
GEN_AI_DURATION = _histogram(
    "gen_ai.client.operation.duration", "s", "GenAI operation duration.", (*_GEN_AI, a.ERROR_TYPE), GEN_AI_DURATION_EDGES
)
GEN_AI_TOKENS = _histogram(
    "gen_ai.client.token.usage",
    "{token}",
    "Number of input and output tokens used.",
    (*_GEN_AI, a.GEN_AI_TOKEN_TYPE),
    GEN_AI_TOKEN_EDGES,
)
TOKENS: tuple[tuple[MetricSpec, a.TokenType], ...] = (
    (GEN_AI_TOKENS, a.TokenType.INPUT),
    (GEN_AI_TOKENS, a.TokenType.OUTPUT),
)
"""The metrics that tell the tokens of an AI call, each with the type of tokens that it counts."""
PROPOSED_TOKENS: tuple[tuple[MetricSpec, a.TokenType], ...] = (
    (
        _counter("gen_ai.client.inference.usage.input_tokens", "{token}", "Number of input tokens used.", _GEN_AI),
        a.TokenType.INPUT,
    ),
    (
        _counter("gen_ai.client.inference.usage.output_tokens", "{token}", "Number of output tokens used.", _GEN_AI),
        a.TokenType.OUTPUT,
    ),
)
"""What the conventions may put in place of `TOKENS` (semantic-conventions-genai, 374). To move, add these rows to it."""
GEN_AI_FIRST_CHUNK = _histogram(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    "Time to receive the first chunk of a streamed answer.",
    _GEN_AI,
    GEN_AI_FIRST_CHUNK_EDGES,
)
GEN_AI_CHUNK = _histogram(
    "gen_ai.client.operation.time_per_output_chunk",
    "s",
    "Time between the chunks of a streamed answer.",
    _GEN_AI,
    GEN_AI_CHUNK_EDGES,
)

ALL: tuple[MetricSpec, ...] = tuple(
    dict.fromkeys([
        *(value for value in list(globals().values()) if isinstance(value, MetricSpec)), *(spec for spec, _ in TOKENS),
    ])
)  # fmt: skip
"""Every metric of the package, the public ones first."""
CHATBOT: tuple[MetricSpec, ...] = tuple(spec for spec in ALL if spec.python)
"""The public chatbot metrics: those of which the package exports an object."""
MESSAGES_FROM_MODEL = "messages_from_model"
"""What the setting AUTO_OFF calls messages that a model's call tells of, where the app stores none."""
FILLED_BY: dict[Source, tuple[MetricSpec, ...]] = {
    source: tuple(spec for spec in ALL if source in spec.sources) for source in Source
}
"""The metrics that an instrumentation fills."""
BY_NAME: dict[str, MetricSpec] = {spec.name: spec for spec in ALL}
"""Every metric of the package by its OpenTelemetry name."""
