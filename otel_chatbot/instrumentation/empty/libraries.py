"""Libraries that explain an empty figure: libraries whose model calls are not seen, and databases that are not counted.

A table of names; `empty.reasons` looks up which of them the application has imported.
"""

from __future__ import annotations

import sys
from typing import Final

_LOCAL: Final = "it runs the model in the process"
_OWN: Final = "it speaks to its provider in a way of its own"

MODELS: Final = {
    "llama_cpp": _LOCAL,
    "gpt4all": _LOCAL,
    "ctransformers": _LOCAL,
    "transformers": _LOCAL,
    "mlx_lm": _LOCAL,
    "vllm": _LOCAL,
    "xai_sdk": "it speaks gRPC, in messages of its own",
    "dashscope": _OWN,
    "replicate": _OWN,
    "g4f": _OWN,
    "qianfan": _OWN,
    "hugchat": _OWN,
    "curl_cffi": "it is an HTTP client that is not followed",
    "pycurl": "it is an HTTP client that is not followed",
}
"""Libraries, each with the reason why its model calls are not seen."""
DATABASES: Final = {
    "sqlalchemy": "SQLAlchemy", "psycopg": "psycopg", "psycopg2": "psycopg2", "pymysql": "PyMySQL", "MySQLdb": "mysqlclient",
    "mysql.connector": "MySQL Connector", "peewee": "peewee", "firebase_admin": "Firebase", "supabase": "Supabase",
}  # fmt: skip
"""Databases of which nothing is counted, by the library that speaks to them."""


def imported(names: dict[str, str]) -> list[str]:
    """Those of the names that the process has imported."""
    return [name for name in names if name in sys.modules]
