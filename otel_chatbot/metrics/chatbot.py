"""The chatbot metrics, which an application imports by name. Written by `otel-chatbot render` from `semconv.metrics`.

Fed by the application's own calls; feeds `metrics.store` through `metrics.instruments`.
"""

from __future__ import annotations

from ..semconv import metrics as m
from .instruments import Counter, Gauge, Histogram

conversations_created = Counter(m.CONVERSATIONS_CREATED.name)
messages_sent = Counter(m.MESSAGES_SENT.name)
messages_received = Counter(m.MESSAGES_RECEIVED.name)
cache_hits = Counter(m.CACHE_HITS.name)
cache_misses = Counter(m.CACHE_MISSES.name)
db_queries = Counter(m.DB_QUERIES.name)
errors_total = Counter(m.ERRORS.name)
api_requests = Counter(m.API_REQUESTS.name)
active_conversations = Gauge(m.ACTIVE_CONVERSATIONS.name)
active_users = Gauge(m.ACTIVE_USERS.name)
cache_size = Gauge(m.CACHE_SIZE.name)
db_connections = Gauge(m.DB_CONNECTIONS.name)
response_time = Histogram(m.RESPONSE_TIME.name, unit=m.RESPONSE_TIME.unit)
db_query_time = Histogram(m.DB_QUERY_TIME.name, unit=m.DB_QUERY_TIME.unit)
ai_response_time = Histogram(m.AI_RESPONSE_TIME.name, unit=m.AI_RESPONSE_TIME.unit)
cache_operation_time = Histogram(m.CACHE_OPERATION_TIME.name, unit=m.CACHE_OPERATION_TIME.unit)
