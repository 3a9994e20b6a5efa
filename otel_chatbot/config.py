"""The package's settings: one frozen value, made once from the environment.

Fed by the environment (through `Settings.from_env`, tests pass a dict); feeds every room above.
A new setting is one field here: the documentation, `doctor` and the masking follow from it.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from . import _parsing
from .semconv.logs import PACKAGE_LOGGER

PREFIX = "CHATBOT_OTEL_"
MASK = "****"
MIB = 1024 * 1024


def setting(
    default: Any, brief: str, parse: Callable[[str], Any] = _parsing.text, *, env: str = "", secret: bool = False
) -> Any:
    """A field of `Settings`: its default, one line for the documentation, its parser; `env` where it has no prefix."""
    return dataclasses.field(default=default, metadata={"brief": brief, "parse": parse, "env": env, "secret": secret})


_BY_SHAPE = "empty: recognised by shape"
_IDS = _parsing.pairs("identity", "g", "session", "header", "json", "form", "query", "cookie", "path")


_SENT = "user_id|userId|uid|username|userName|user_name|user|session_id|sessionId"
"""What clients call a user. A session comes last: it stands for a user whose name nobody knows. A form of Twilio's has a number."""
_USER_PLACES = (
    "identity:flask_login|flask_jwt_extended|flask_httpauth|authlib|flask_principal",
    "g:user_id|user|current_user",
    "session:user_id|_user_id|userId|uid|username|user_name|user|user_email|email",
    "header:X-User-Id|X-Forwarded-User|X-Auth-Request-User",
    f"json:{_SENT}",
    f"form:{_SENT}|WaId|From",
    f"query:{_SENT}",
    "path:user_id|userId|uid|username",
    "cookie:user_id|userId|uid|username",
    "session:session_id|sid",
    "cookie:session_id|sessionId|sid",
)
_CHAT = "conversation_id|conversationId|chat_id|chatId|thread_id|threadId|session_id|sessionId|conv_id|convId|conversation|chat"
"""What clients and sessions call a conversation."""
_CONVERSATION_PLACES = (
    *(f"{source}:{_CHAT}" for source in ("session", "path", "json", "form", "query")),
    "header:X-Conversation-Id|X-Session-Id|X-Thread-Id",
    f"cookie:{_CHAT}",
)


_CAPTURING = frozenset({"span_only", "span_and_event", "true"})


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every setting of the package; see each field's brief. Standard `OTEL_*` variables are read by OpenTelemetry itself."""

    log_dir: str = setting("logs", "folder of the rotated log files, the trace file and the spool")
    log_level: str = setting(
        "INFO", "lowest level of the records kept", _parsing.choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    )
    log_files: bool = setting(True, "write the rotated log files", _parsing.flag)
    access_log: bool = setting(True, "a log record for every request", _parsing.flag)
    start_line: str = setting(
        "auto",
        "one line on the console at start that says where to look: true, false, or auto: in development on a terminal",
        _parsing.flag_or("auto"),
    )
    trace_file: str = setting("", "file of the traces when no OTLP endpoint is set; empty: <LOG_DIR>/traces.otlp.jsonl")
    trace_file_max_bytes: int = setting(10 * MIB, "size at which the trace file is rotated, in bytes", _parsing.size)
    conversations_collection: str = setting("", f"MongoDB collection whose documents are conversations; {_BY_SHAPE}")
    messages_collection: str = setting("", f"MongoDB collection whose documents are messages or exchanges; {_BY_SHAPE}")
    messages_field: str = setting("", f"array of embedded messages in a conversation's document; {_BY_SHAPE}")
    role_field: str = setting("", f"field of a message that holds its role; {_BY_SHAPE}")
    user_roles: tuple[str, ...] = setting((), f"roles that count as sent; {_BY_SHAPE}", _parsing.items)
    assistant_roles: tuple[str, ...] = setting((), f"roles that count as received; {_BY_SHAPE}", _parsing.items)
    question_field: str = setting("", f"field of an exchange that holds the user's text; {_BY_SHAPE}")
    answer_field: str = setting("", f"field of an exchange that holds the assistant's text; {_BY_SHAPE}")
    user_id_from: tuple[str, ...] = setting(
        _USER_PLACES, "where a request's user id is looked for, in this order; `|` separates names", _IDS
    )
    conversation_id_from: tuple[str, ...] = setting(
        _CONVERSATION_PLACES,
        "where a request's conversation id is looked for, in this order, after what it wrote; `|` separates names",
        _IDS,
    )
    active_window: float = setting(300.0, "sliding window of the active gauges, in seconds", _parsing.seconds)
    cache_prefix: str = setting(
        "", "prefix of the keys that are the cache; empty: every key but chats and those of known libraries"
    )
    cache_exclude: tuple[str, ...] = setting(
        (), "prefixes of further keys that are no cache, beside chats and the keys of known libraries", _parsing.items
    )
    auto_off: tuple[str, ...] = setting(
        (),
        "metrics whose automatic source is off, by any of their names; `messages_from_model`: model calls tell of no messages",
        _parsing.items,
    )
    health_timeout: float = setting(1.0, "budget of each health check, in seconds", _parsing.seconds)
    probe_traces: str = setting(
        "failed", "which traces of probes and scrapes are kept", _parsing.choice("failed", "all", "none")
    )
    endpoint_token: str = setting("", "token that /metrics* and /health/detailed ask for", secret=True)
    endpoint_port: int = setting(
        0, "port on which /metrics* and /health/detailed are served instead of the app's; 0: the app's", _parsing.port
    )
    endpoint_host: str = setting("127.0.0.1", "address on which that port listens")
    capture_content: bool = setting(False, "capture prompts and answers", _parsing.flag)
    ai_prices: str = setting(
        "",
        "JSON file of further model prices: by model, US dollars per million input, output, cached tokens",
        _parsing.price_file,
    )
    ai_addresses: tuple[str, ...] = setting(
        (), "further addresses of models: `host[:port][/path]=provider[:protocol]`, several separated by commas", _parsing.items
    )
    slow_answer: float = setting(20.0, "seconds after which an answer is slow for `left_after_slow`", _parsing.seconds)
    left_after: float = setting(
        600.0, "seconds without a further turn after which a conversation counts as left", _parsing.seconds
    )
    budgets: str = setting(
        "",
        "what may be spent: rows like `app day 20 USD; user hour 50000 tokens`, or a .json or .toml file of such rows",
    )
    budget_zone: str = setting("UTC", "time zone in which the budgets' hours, days and months begin", _parsing.zone)
    budget_ledger_away: str = setting(
        "open",
        "what becomes of a call while nobody can tell what was spent: open lets it through, closed refuses it",
        _parsing.choice("open", "closed"),
    )
    server_timing: bool = setting(False, "tell the browser the trace of each answer in a Server-Timing header", _parsing.flag)
    feedback_key: str = setting(
        "", "key that signs the ids of answers, the same for all machines; empty: a key of the run, so that ids end with it",
        _parsing.key, secret=True,
    )  # fmt: skip
    feedback_lifetime: float = setting(90 * 86400.0, "time for which an answer can be rated, in seconds", _parsing.seconds)
    feedback_header: str = setting(
        "", "header of an answer that tells its id, such as X-Answer-Id; empty: none", _parsing.header
    )
    redact_keys: tuple[str, ...] = setting((), "further key names whose values are masked", _parsing.items)
    redact_patterns: tuple[str, ...] = setting(
        (), "further regular expressions whose matches are masked, separated by ;;", _parsing.patterns
    )
    series_limit: int = setting(2000, "series a metric may have before the overflow series", _parsing.size)
    multiproc_dir: str = setting("", "folder that the workers of one app share; empty: found by itself")
    spool_dir: str = setting("", "folder of the durable export; empty: <LOG_DIR>/spool")
    spool_max_bytes: int = setting(256 * MIB, "size of the spool, in bytes", _parsing.size)
    ledger_file: str = setting(
        "",
        "file of what must survive a restart, such as who has rated what, if REDIS_URL is not set; empty: <LOG_DIR>/ledger.sqlite",
    )
    shutdown_timeout: float = setting(5.0, "budget of the whole shutdown, in seconds", _parsing.seconds)

    runbooks: str = setting(
        "", "absolute address under which the alerts' pages are served, for `otel-chatbot render`; {page}: a page's name"
    )

    environment: str = setting(
        "development", "where the app runs", _parsing.choice("development", "production"), env="ENVIRONMENT"
    )
    mongodb_uri: str = setting(
        "", "MongoDB that the health check asks when the app made no client", env="MONGODB_URI", secret=True
    )
    redis_url: str = setting("", "Redis that the package uses when the app made no client", env="REDIS_URL", secret=True)
    service_version: str = setting(
        "", "version of the app: `service.version` in the standard variable", _parsing.version, env="OTEL_RESOURCE_ATTRIBUTES"
    )
    message_content: str = setting(
        "", "where prompts and answers are put: span_only or span_and_event; empty: as CAPTURE_CONTENT says",
        env="OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
    )  # fmt: skip
    openai_base_url: str = setting("", "OpenAI-compatible endpoint", env="OPENAI_BASE_URL")
    openai_api_key: str = setting("", "key of that endpoint", env="OPENAI_API_KEY", secret=True)

    warnings: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    """What was wrong in the environment, one sentence each with name, value and remedy."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Settings from a mapping of environment variables; a bad value keeps the default and adds a warning.

        An unset or empty variable means the default, as in the OpenTelemetry specification.
        """
        values: dict[str, Any] = {}
        warnings: list[str] = []
        for field in fields():
            name = env_name(field)
            raw = environ.get(name, "")
            if not raw.strip():
                continue
            try:
                values[field.name] = field.metadata["parse"](raw)
            except ValueError as error:
                shown = MASK if field.metadata["secret"] else repr(raw)
                warnings.append(f"{name}={shown} is not usable ({error}); using the default {field.default!r}")
        warnings.extend(_unknown(environ))
        return cls(**values, warnings=tuple(warnings))

    @property
    def production(self) -> bool:
        """Whether ENVIRONMENT is production."""
        return self.environment == "production"

    @property
    def captures(self) -> bool:
        """Whether what people write may be kept: prompts and answers on spans, comments on events."""
        return self.message_content.lower() in _CAPTURING if self.message_content else self.capture_content

    @property
    def trace_path(self) -> str:
        """Where traces go when no OTLP endpoint is set."""
        return self.trace_file or os.path.join(self.log_dir, "traces.otlp.jsonl")

    @property
    def spool_path(self) -> str:
        """Folder of the durable export."""
        return self.spool_dir or os.path.join(self.log_dir, "spool")

    @property
    def ledger_path(self) -> str:
        """Where figures that survive a restart are kept when there is no Redis."""
        return self.ledger_file or os.path.join(self.log_dir, "ledger.sqlite")

    def changed(self) -> dict[str, str]:
        """The settings that differ from their defaults, by environment name, secrets masked."""
        return {
            env_name(f): MASK if f.metadata["secret"] else str(getattr(self, f.name))
            for f in fields()
            if getattr(self, f.name) != f.default
        }


def fields() -> tuple[dataclasses.Field[Any], ...]:
    """The fields of `Settings` that are settings, in order."""
    return tuple(field for field in dataclasses.fields(Settings) if "brief" in field.metadata)


def env_name(field: dataclasses.Field[Any]) -> str:
    """The environment variable of a setting."""
    return field.metadata["env"] or PREFIX + field.name.upper()


def _unknown(environ: Mapping[str, str]) -> list[str]:
    # Compared without the prefix: with it, any two names are much alike.
    known = {env_name(field).removeprefix(PREFIX): env_name(field) for field in fields()}
    found = []
    for name in environ:
        if name.startswith(PREFIX) and name not in known.values():
            near = difflib.get_close_matches(name.removeprefix(PREFIX), known, 1)
            hint = f"did you mean {known[near[0]]}?" if near else "see the settings page for the names"
            found.append(f"{name} is not a setting of otel-chatbot and is ignored; {hint}")
    return found


def warn_of_file(name: str, path: object, error: Exception, expected: str) -> None:
    """Warn that the file which a setting names is not usable. `expected`: what should be in it, and what is used instead."""
    logging.getLogger(PACKAGE_LOGGER).warning(
        "%s%s=%s is not usable (%s: %s); expected %s", PREFIX, name, path, type(error).__name__, error, expected
    )


@functools.lru_cache(maxsize=1)
def current() -> Settings:
    """The process's settings, read from the environment at the first call."""
    return Settings.from_env(os.environ)
