"""Make tests/contract/grafana.schema.json, JSON Schema for classic dashboards, from Grafana's own published types.

    python scripts/grafana_schema.py

Needs npm. The versions of @grafana/schema and of the generator are pinned with hashes in scripts/grafana_schema/; types.ts there
says which types are taken. The result is committed, so that tests need neither npm nor a network.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "scripts/grafana_schema"
WORK = ROOT / ".cache/grafana_schema"
TARGET = ROOT / "tests/contract/grafana.schema.json"


def without_descriptions(node: Any) -> Any:
    """Return the schema without its prose. A property with the name description is an object, and stays."""
    if isinstance(node, dict):
        return {
            key: without_descriptions(value)
            for key, value in node.items()
            if not (key == "description" and isinstance(value, str))
        }
    if isinstance(node, list):
        return [without_descriptions(item) for item in node]
    return node


def main() -> None:
    """Install the generator, generate the schema, write it."""
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(SOURCE, WORK)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=WORK, check=True)
    generate = ["npx", "ts-json-schema-generator", "--tsconfig", "tsconfig.json", "--path", "types.ts"]
    made = subprocess.run([*generate, "--type", "*", "--no-type-check"], cwd=WORK, check=True, capture_output=True, text=True)
    schema = without_descriptions(json.loads(made.stdout))
    version = json.loads((SOURCE / "package.json").read_text())["dependencies"]["@grafana/schema"]
    schema["$comment"] = f"Made by scripts/grafana_schema.py from @grafana/schema {version} (Apache-2.0, Grafana Labs)."
    TARGET.write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {len(schema['definitions'])} types of Grafana {version}")


if __name__ == "__main__":
    main()
