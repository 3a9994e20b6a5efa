"""Attribute names used by the metrics, spans and log records, and the closed sets of their values.

Sources: OpenTelemetry semantic conventions 1.43 (HTTP and database: stable; GenAI: in development,
pinned here because the constants of opentelemetry-semantic-conventions are marked deprecated).
"""

from __future__ import annotations

from enum import Enum

HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
HTTP_METHOD_ORIGINAL = "http.request.method_original"
URL_SCHEME = "url.scheme"
URL_PATH = "url.path"
URL_QUERY = "url.query"
HTTP_TARGET = "http.target"
"""Path and query in one, before the HTTP conventions were stable."""
CLIENT_ADDRESS = "client.address"
CLIENT_PORT = "client.port"
USER_AGENT = "user_agent.original"
USER_AGENT_SYNTHETIC = "user_agent.synthetic.type"
PROTOCOL_VERSION = "network.protocol.version"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
ERROR_TYPE = "error.type"

DB_SYSTEM = "db.system.name"
DB_OPERATION = "db.operation.name"
DB_COLLECTION = "db.collection.name"
DB_NAMESPACE = "db.namespace"
DB_STATUS = "db.response.status_code"
DB_QUERY_TEXT = "db.query.text"
DB_BATCH_SIZE = "db.operation.batch.size"
REDIS_ARGUMENTS = "db.redis.args_length"
REDIS_PIPELINE_LENGTH = "db.redis.pipeline_length"
TRANSPORT = "network.transport"
POOL_NAME = "db.client.connection.pool.name"
CONNECTION_STATE = "db.client.connection.state"

GEN_AI_OPERATION = "gen_ai.operation.name"
GEN_AI_PROVIDER = "gen_ai.provider.name"
GEN_AI_SYSTEM = "gen_ai.system"
"""The name of `gen_ai.provider.name` before the conventions of 2025."""
LLM_REQUEST_TYPE = "llm.request.type"
OPENINFERENCE_KIND = "openinference.span.kind"
"""Marks of the spans that other tools make of model calls (OpenLLMetry, OpenInference)."""
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_RESPONSE_MODEL = "gen_ai.response.model"
GEN_AI_TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - a name, no password
GEN_AI_CONVERSATION_ID = "gen_ai.conversation.id"
USER_HASH = "user.hash"
USERS = (USER_HASH, "user.id", "enduser.pseudo.id", "enduser.id")
"""Under which of these an app may say for whom a span was; the viewer takes the first."""
GEN_AI_REQUEST_STREAM = "gen_ai.request.stream"
GEN_AI_TEMPERATURE = "gen_ai.request.temperature"
GEN_AI_TOP_P = "gen_ai.request.top_p"
GEN_AI_TOP_K = "gen_ai.request.top_k"
GEN_AI_MAX_TOKENS = "gen_ai.request.max_tokens"
GEN_AI_FREQUENCY_PENALTY = "gen_ai.request.frequency_penalty"
GEN_AI_PRESENCE_PENALTY = "gen_ai.request.presence_penalty"
GEN_AI_STOP_SEQUENCES = "gen_ai.request.stop_sequences"
GEN_AI_SEED = "gen_ai.request.seed"
GEN_AI_CHOICE_COUNT = "gen_ai.request.choice.count"
GEN_AI_REASONING_LEVEL = "gen_ai.request.reasoning.level"
GEN_AI_PREVIOUS_RESPONSE = "gen_ai.request.previous_response.id"
GEN_AI_ENCODING_FORMATS = "gen_ai.request.encoding_formats"
GEN_AI_DIMENSIONS = "gen_ai.embeddings.dimension.count"
GEN_AI_OUTPUT_TYPE = "gen_ai.output.type"
GEN_AI_RESPONSE_ID = "gen_ai.response.id"
GEN_AI_FINISH_REASONS = "gen_ai.response.finish_reasons"
GEN_AI_INPUT_TOKENS = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
GEN_AI_CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
GEN_AI_REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
GEN_AI_AUDIO_INPUT_TOKENS = "gen_ai.usage.audio.input_tokens"
GEN_AI_AUDIO_OUTPUT_TOKENS = "gen_ai.usage.audio.output_tokens"
GEN_AI_INPUT_MESSAGES = "gen_ai.input.messages"
GEN_AI_OUTPUT_MESSAGES = "gen_ai.output.messages"
GEN_AI_SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
GEN_AI_TOOL_DEFINITIONS = "gen_ai.tool.definitions"
GEN_AI_TOOL_NAME = "gen_ai.tool.name"
GEN_AI_TOOL_TYPE = "gen_ai.tool.type"
GEN_AI_TOOL_CALL_ID = "gen_ai.tool.call.id"
GEN_AI_TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
GEN_AI_TOOL_RESULT = "gen_ai.tool.call.result"
GEN_AI_AGENT_NAME = "gen_ai.agent.name"
GEN_AI_WORKFLOW_NAME = "gen_ai.workflow.name"
AI_TOOL_CALLS = "chatbot.ai.tool_calls"
"""Names of the tools that the model asked the application to call, on the span of an AI call; not their arguments."""
GEN_AI_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
TOKENS_ESTIMATED = "chatbot.ai.tokens.estimated"
"""True on the span of an AI call whose tokens were estimated from its text: the model did not tell them."""
ABANDONED = "chatbot.ai.abandoned"
"""True on the span of an AI call whose answer the application did not want to the end."""
COST = "chatbot.ai.cost"
"""US dollars, on the span of an AI call and, summed, on that of the request."""

GEN_AI_EVALUATION_NAME = "gen_ai.evaluation.name"
GEN_AI_EVALUATION_SCORE = "gen_ai.evaluation.score.value"
GEN_AI_EVALUATION_LABEL = "gen_ai.evaluation.score.label"
GEN_AI_EVALUATION_EXPLANATION = "gen_ai.evaluation.explanation"
RATING = "chatbot.feedback.rating"
"""What a user thinks of an answer: `up` or `down`, `1` to `5` stars, or a fifth of the scale from 0 to 1."""
LIKED = ("up", "4", "5", "0.6-0.8", "0.8-1.0")
"""The ratings that are good ones."""
RATING_BEFORE = "chatbot.feedback.before"
"""The rating that the user has changed, on the event of the new one."""
FEEDBACK_REASON = "chatbot.feedback.reason"
RELEASE = "chatbot.release"
"""The app's version that gave an answer; `service.version` is the one that tells of it, which may be a later one."""

OPENAI_FINGERPRINT = "openai.response.system_fingerprint"
OPENAI_RESPONSE_TIER = "openai.response.service_tier"
OPENAI_API_TYPE = "openai.api.type"
OPENAI_REQUEST_TIER = "openai.request.service_tier"

SERVICE_NAMESPACE = "service.namespace"
SERVICE_NAME = "service.name"
SERVICE_VERSION = "service.version"
SERVICE_INSTANCE_ID = "service.instance.id"
PROCESS_PID = "process.pid"
PROCESS_RUNTIME_NAME = "process.runtime.name"
PROCESS_RUNTIME_VERSION = "process.runtime.version"
HOST_NAME = "host.name"
HOST_ARCH = "host.arch"
DEPLOYMENT_ENVIRONMENT_NAME = "deployment.environment.name"
TELEMETRY_AUTO_VERSION = "telemetry.auto.version"
TELEMETRY_DISTRO_NAME = "telemetry.distro.name"
TELEMETRY_DISTRO_VERSION = "telemetry.distro.version"
EXCEPTION_EVENT = "exception"
"""The span event that tells of an exception."""
EXCEPTION_TYPE = "exception.type"
EXCEPTION_MESSAGE = "exception.message"
EXCEPTION_STACKTRACE = "exception.stacktrace"
CODE_FUNCTION = "code.function.name"
CODE_LINE = "code.line.number"

CLIENT_DISCONNECTED = "chatbot.client_disconnected"
"""True on the span of a request whose client went away before the last byte of the answer."""
CHECK = "chatbot.health.check"
PHASE = "chatbot.phase"
SIGNAL = "chatbot.telemetry.signal"
REASON = "chatbot.telemetry.reason"
BUDGET_NAME = "chatbot.budget.name"
BUDGET_SCOPE = "chatbot.budget.scope"
BUDGET_UNIT = "chatbot.budget.unit"
BUDGET_LEVEL = "chatbot.budget.level"
LEDGER_USE = "chatbot.ledger.use"
OVERFLOW = "otel.metric.overflow"
"""Marks the series that holds what went beyond the series limit (metrics SDK specification, cardinality limits)."""


class DbSystem(str, Enum):
    """Values of `db.system.name` that the package sets; MEMORY and FILE are cachelib caches without a server."""

    MONGODB = "mongodb"
    REDIS = "redis"
    MEMORY = "memory"
    FILE = "file"
    MEMCACHED = "memcached"
    DYNAMODB = "aws.dynamodb"
    VALKEY = "valkey"


class ConnectionState(str, Enum):
    """Values of `db.client.connection.state`."""

    IDLE = "idle"
    USED = "used"


class Phase(str, Enum):
    """Values of `chatbot.phase`: the parts of a chat turn."""

    HISTORY = "history"
    CACHE = "cache"
    FIRST_CHUNK = "first_chunk"
    GENERATION = "generation"
    TOTAL = "total"


PHASE_SECONDS = {phase: f"chatbot.turn.{phase.value}" for phase in Phase}
"""The attributes of a request's span that hold the seconds of each phase of its turn."""


class BudgetScope(str, Enum):
    """Values of `chatbot.budget.scope`: whose spending a budget limits."""

    APP = "app"
    MODEL = "model"
    USER = "user"
    CONVERSATION = "conversation"


class BudgetUnit(str, Enum):
    """Values of `chatbot.budget.unit`: what a budget is counted in."""

    USD = "USD"
    TOKENS = "tokens"


BUDGET_EACH = frozenset({BudgetScope.USER, BudgetScope.CONVERSATION})
"""The scopes of which there are many: each user, each conversation has its own figure."""


class LedgerUse(str, Enum):
    """Values of `chatbot.ledger.use`: what was wanted of the ledger that is away."""

    CHECK = "check"
    SPEND = "spend"


class GenAiRun(str, Enum):
    """Values of `gen_ai.operation.name` on the spans of tools, agents and chains."""

    TOOL = "execute_tool"
    AGENT = "invoke_agent"
    WORKFLOW = "invoke_workflow"


class GenAiOperation(str, Enum):
    """Values of `gen_ai.operation.name` that the package sets."""

    CHAT = "chat"
    TEXT_COMPLETION = "text_completion"
    GENERATE_CONTENT = "generate_content"
    EMBEDDINGS = "embeddings"


class GenAiProvider(str, Enum):
    """Values of `gen_ai.provider.name`; where the conventions have none for a provider, its name in small letters."""

    OPENAI = "openai"
    AZURE_OPENAI = "azure.ai.openai"
    AZURE_INFERENCE = "azure.ai.inference"
    ANTHROPIC = "anthropic"
    GEMINI = "gcp.gemini"
    VERTEX = "gcp.vertex_ai"
    BEDROCK = "aws.bedrock"
    MISTRAL = "mistral_ai"
    GROQ = "groq"
    XAI = "x_ai"
    DEEPSEEK = "deepseek"
    COHERE = "cohere"
    PERPLEXITY = "perplexity"
    WATSONX = "ibm.watsonx.ai"
    OPENROUTER = "openrouter"
    TOGETHER = "together"
    FIREWORKS = "fireworks"
    CEREBRAS = "cerebras"
    HUGGING_FACE = "hugging_face"
    OLLAMA = "ollama"
    TGI = "text_generation_inference"


class TokenType(str, Enum):
    """Values of `gen_ai.token.type`."""

    INPUT = "input"
    OUTPUT = "output"


class Signal(str, Enum):
    """Values of `chatbot.telemetry.signal`."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


class DropReason(str, Enum):
    """Values of `chatbot.telemetry.reason`: why an item of telemetry was not kept."""

    UNLISTED_ATTRIBUTE = "unlisted_attribute"
    SERIES_LIMIT = "series_limit"
    QUEUE_FULL = "queue_full"
    SHUTDOWN = "shutdown"
    SPOOL_FULL = "spool_full"
    REJECTED = "rejected"
    CORRUPT = "corrupt"
    WRITE_FAILED = "write_failed"
    EXPORT_FAILED = "export_failed"
    INVALID_VALUE = "invalid_value"
