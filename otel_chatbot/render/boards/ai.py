"""Chats and the model: conversations, where the time of an answer goes, calls, tokens, cost, budgets.

Fed by `render.promql`; feeds `render.dashboards`.
"""

from __future__ import annotations

from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.spec import MetricSpec
from .. import objectives as o
from ..dashboard import MODELS, Dashboard
from ..panels import PLAIN, Panel, Query, Row, Steps, rates, rising, stat
from ..promql import CHOSEN as Q
from ..promql import CHOSEN_MODELS, eq, ne, ratio
from . import answers

_RANGE = Q.over("$__range")
_MODELS = CHOSEN_MODELS.over("$__range")
_SPENT = _MODELS.increase(m.AI_COST)
_MODEL = f"{{{a.GEN_AI_REQUEST_MODEL}}}"
_TYPE = f"{{{a.GEN_AI_TOKEN_TYPE}}}"
_BY_MODEL = CHOSEN_MODELS.split(a.GEN_AI_REQUEST_MODEL)
_BUDGETS = Q.split(a.BUDGET_NAME)
_LEVELS = Q.split(a.BUDGET_NAME, a.BUDGET_LEVEL)
_LIMIT = _BUDGETS.value(m.BUDGET_LIMIT, how="max")
_BUDGET = f"{{{a.BUDGET_NAME}}}"
_BY_TYPE = CHOSEN_MODELS.split(a.GEN_AI_TOKEN_TYPE)


def _hourly(title: str, description: str, spec: MetricSpec, steps: Steps = PLAIN, *, width: int = 8) -> Panel:
    """Dollars per hour by model, of a counter of dollars."""
    return Panel(title, "currencyUSD", description, [Query(f"3600 * {_BY_MODEL.rate(spec)}", _MODEL)], steps, width=width)


def _share_of_limit(title: str, description: str, spec: MetricSpec, steps: Steps) -> Panel:
    """A gauge of each budget, as a share of the budget's limit."""
    queries = [Query(ratio(_BUDGETS.value(spec, how="max"), _LIMIT), _BUDGET)]
    return Panel(title, "percentunit", description, queries, steps, width=12)


def _wanted_at_zero(title: str, description: str, query: Query) -> Panel:
    """A rate of something that should not happen: orange from the first time on."""
    return Panel(title, "ops", description, [query], rising(0.001, 1), width=12)


BOARD = Dashboard(
    "chatbot-ai",
    "Chatbot · Chats and AI",
    "What people do, which model is slow, where the time of an answer goes, what it costs.",
    [
        Row(
            "In the time that is shown",
            [
                stat(title, "short", description, _RANGE.increase(spec), width=4)
                for title, spec, description in (
                    ("Conversations", m.CONVERSATIONS_CREATED, "Conversations created."),
                    ("Messages sent", m.MESSAGES_SENT, "Messages of users."),
                    ("Messages received", m.MESSAGES_RECEIVED, "Messages of the assistant."),
                )
            ]
            + [
                stat(
                    "Cost",
                    "currencyUSD",
                    "Cost of AI calls, by a dated price table.",
                    _SPENT,
                    width=4,
                ),
                stat(
                    "Cost of an answer",
                    "currencyUSD",
                    "Cost of AI calls for each message of the assistant, cached ones too.",
                    ratio(_SPENT, _RANGE.increase(m.MESSAGES_RECEIVED)),
                    width=4,
                ),
                stat(
                    "Failed AI calls",
                    "percentunit",
                    "The share of AI calls that failed.",
                    "1 - "
                    + ratio(_MODELS.increase(m.AI_RESPONSE_TIME, eq(a.ERROR_TYPE)), _MODELS.increase(m.AI_RESPONSE_TIME)),
                    rising(0.01, 0.05),
                    width=4,
                ),
            ],
        ),
        Row(
            "Conversations",
            [
                Panel(
                    "Conversations and messages",
                    "ops",
                    "Per second: conversations created, messages sent by users, messages received from the assistant.",
                    [
                        Query(Q.rate(m.CONVERSATIONS_CREATED), "conversations"),
                        Query(Q.rate(m.MESSAGES_SENT), "sent"),
                        Query(Q.rate(m.MESSAGES_RECEIVED), "received"),
                    ],
                    width=12,
                ),
                Panel(
                    "Active",
                    "short",
                    "Distinct users and conversations in the sliding window.",
                    [
                        Query(Q.value(m.ACTIVE_USERS, how="max"), "users"),
                        Query(Q.value(m.ACTIVE_CONVERSATIONS, how="max"), "conversations"),
                    ],
                    width=12,
                ),
            ],
        ),
        Row(
            "Where the time of an answer goes",
            [
                Panel(
                    "Parts of a chat turn",
                    "s",
                    "Mean time of each part of a turn: history, cache, waiting for the first chunk, the rest of the answer.",
                    [
                        Query(
                            Q.split(a.PHASE).mean(m.TURN_TIME, ne(a.PHASE, a.Phase.TOTAL.value)),
                            f"{{{a.PHASE}}}",
                        )
                    ],
                    rising(5, 10),
                    stacked=True,
                ),
                Panel(
                    "Until the first chunk",
                    "s",
                    f"Time until a streamed answer begins. The promise: {o.LATENCY.promise}.",
                    [Query(CHOSEN_MODELS.quantile(q, m.GEN_AI_FIRST_CHUNK), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)],
                    rising(o.FIRST_CHUNK_WITHIN, 2 * o.FIRST_CHUNK_WITHIN),
                ),
                Panel(
                    "Between chunks, p95",
                    "s",
                    "Time from one chunk of a streamed answer to the next, by model.",
                    [Query(_BY_MODEL.quantile(0.95, m.GEN_AI_CHUNK), _MODEL)],
                    rising(0.3, 1),
                ),
            ],
        ),
        Row(
            "Calls of the model",
            [
                Panel(
                    "Calls by model",
                    "reqps",
                    "AI calls per second, failed ones included.",
                    rates(CHOSEN_MODELS, a.GEN_AI_REQUEST_MODEL, m.AI_RESPONSE_TIME),
                ),
                Panel(
                    "Time by model, p95",
                    "s",
                    "95 of 100 AI calls take no longer, streamed ones to their end. A dot leads to its trace.",
                    [Query(_BY_MODEL.quantile(0.95, m.AI_RESPONSE_TIME), _MODEL)],
                    rising(10, 30),
                ),
                Panel(
                    "Failed calls by kind",
                    "ops",
                    "Failed AI calls per second, by the kind of error.",
                    rates(CHOSEN_MODELS, a.ERROR_TYPE, m.AI_RESPONSE_TIME),
                    rising(0.05, 0.5),
                ),
            ],
        ),
        *answers.ROWS,
        Row(
            "Tokens and cost",
            [
                stat("Cost today", "currencyUSD", "Cost of AI calls since midnight.", _SPENT, width=8, since="now/d"),
                stat(
                    "Cost this month", "currencyUSD", "Cost of AI calls since the month began.", _SPENT, width=8, since="now/M"
                ),
                stat(
                    "Cost of the whole month",
                    "currencyUSD",
                    "What this month will have cost if it goes on as it has since it began.",
                    f"{_SPENT} / $__range_s * 86400 * days_in_month()",
                    width=8,
                    since="now/M",
                ),
                Panel(
                    "Tokens by type",
                    "short",
                    "Tokens per second, into the model and out of it.",
                    [Query(_BY_TYPE.rate(m.GEN_AI_TOKENS, part="_sum"), _TYPE)],
                ),
                Panel(
                    "Tokens of a call",
                    "short",
                    "Mean number of tokens of an AI call. Input that grows is history that nobody cuts.",
                    [Query(_BY_TYPE.mean(m.GEN_AI_TOKENS), _TYPE)],
                ),
                _hourly("Cost per hour by model", "What an hour costs at the present rate.", m.AI_COST, rising(10, 100)),
                _hourly(
                    "Saved per hour by the cache",
                    "How much more an hour would have cost without cached answers.",
                    m.AI_COST_SAVED,
                    width=12,
                ),
                _wanted_at_zero(
                    "Calls without a price",
                    "AI calls of models that the price table does not know: their cost is missing above.",
                    Query(_BY_MODEL.rate(m.AI_UNPRICED), _MODEL),
                ),
            ],
        ),
        Row(
            "Budgets",
            [
                _share_of_limit(
                    "Spent of each budget",
                    "The share of each budget that is spent in its period. Of users and conversations: the one that spent most. "
                    "Empty where no budget is set.",
                    m.BUDGET_SPENT,
                    rising(0.8, 1),
                ),
                _share_of_limit(
                    "Forecast of each budget",
                    "The share that will be spent at the end of the period, at the rate since its beginning.",
                    m.BUDGET_FORECAST,
                    rising(1, 1.5),
                ),
                Panel(
                    "Users and conversations near their limit",
                    "short",
                    "How many have spent 80 % and 100 % of what each of them may spend.",
                    [Query(_LEVELS.value(m.BUDGET_REACHED, how="max"), f"{_BUDGET}, {{{a.BUDGET_LEVEL}}} %")],
                    width=12,
                ),
                _wanted_at_zero(
                    "Refused by a budget",
                    "Model calls per second that a budget has forbidden.",
                    Query(_BUDGETS.rate(m.BUDGET_REFUSED), _BUDGET),
                ),
            ],
        ),
    ],
    (MODELS,),
)
"""Chats and AI."""
