"""docker-compose.yml: valid by the compose specification, nothing published by accident, no default password, all files there."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from support.process import program

from otel_chatbot import config
from otel_chatbot.render import scrape

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
VARIABLE = re.compile(r"\$\{(\w+)(?::?[-?]([^}]*))?\}")


def schema() -> Any:
    """The compose specification's own schema, as the package check-jsonschema carries it."""
    found = find_spec("check_jsonschema")
    assert found is not None
    assert found.submodule_search_locations, "check-jsonschema is among the test requirements"
    vendored = Path(found.submodule_search_locations[0]) / "builtin_schemas" / "vendor" / "compose-spec.json"
    return json.loads(vendored.read_text())


def test_the_file_is_valid_by_the_compose_specification() -> None:
    jsonschema.Draft202012Validator(schema()).validate(COMPOSE)
    broken = {**COMPOSE, "services": {**SERVICES, "chatbot": {**SERVICES["chatbot"], "portz": []}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(broken)


def test_the_chatbot_is_checked_as_its_users_expect() -> None:
    chatbot = SERVICES["chatbot"]
    assert chatbot["healthcheck"] == {
        "test": ["CMD", "curl", "-f", "http://localhost:5000/health"],
        "interval": "30s",
        "timeout": "10s",
        "retries": 3,
        "start_period": "40s",
    }
    waits_for = {name for name, how in chatbot["depends_on"].items() if how["condition"] == "service_healthy"}
    assert waits_for >= {"mongodb", "redis", "collector-health"}


def test_only_the_chatbot_and_grafana_are_published_and_on_loopback_unless_told_otherwise() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert {name: [_defaults(port) for port in ports] for name, ports in published.items()} == {
        "chatbot": ["127.0.0.1:5000:5000"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    outside = {name for name, service in SERVICES.items() if "published" in service.get("networks", ["default"])}
    on_no_network = {name for name, service in SERVICES.items() if "network_mode" in service}
    assert outside - on_no_network == set(published)
    assert {name for name, network in COMPOSE["networks"].items() if not network.get("internal")} == {"published"}


def test_no_password_has_a_default() -> None:
    secrets = re.compile(r"PASSWORD|SECRET|TOKEN|API_KEY")
    defaults = {name: default for name, default in VARIABLE.findall(TEXT) if secrets.search(name)}
    assert defaults.pop("OPENAI_API_KEY") == "local", "what the local stand-in takes for a key"
    assert defaults.pop("GRAFANA_ADMIN_PASSWORD").startswith("copy .env.example")
    assert "${GRAFANA_ADMIN_PASSWORD:?" in TEXT
    assert set(defaults.values()) == {""}
    fixed = VARIABLE.sub("", TEXT)
    plain = [line for line in fixed.splitlines() if re.search(r"(password|secret|token)\w*: *[^ ]", line, re.IGNORECASE)]
    assert plain == []


def test_the_example_environment_names_every_variable_and_holds_no_value_of_a_secret() -> None:
    example = (ROOT / ".env.example").read_text()
    named = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    assert named.keys() == {name for name, _ in VARIABLE.findall(TEXT)}
    assert named["GRAFANA_ADMIN_PASSWORD"] == ""
    assert named["CHATBOT_OTEL_ENDPOINT_TOKEN"] == ""
    assert named["OPENAI_API_KEY"] == ""


def test_images_are_pinned_by_version() -> None:
    images = {name: service["image"] for name, service in SERVICES.items()}
    assert {name: image for name, image in images.items() if not re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", image)} == {}


def test_the_collectors_image_has_the_version_of_our_build() -> None:
    manifest = yaml.safe_load((ROOT / "collector/builder/manifest.yaml").read_text())
    assert SERVICES["collector"]["image"] == f"otel/opentelemetry-collector-contrib:{manifest['dist']['version']}"


def test_what_is_mounted_is_there_and_volumes_are_declared() -> None:
    sources = [volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert [source for source in sources if source.startswith(".") and not (ROOT / source).exists()] == []
    assert {source for source in sources if not source.startswith(".")} == set(COMPOSE["volumes"])
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            if volume.startswith("./"):
                assert volume.endswith(":ro"), "what is in the repository is not written by a container"


def test_the_collector_is_checked_by_a_service_that_shares_its_network() -> None:
    health = SERVICES["collector-health"]
    assert health["network_mode"] == "service:collector"
    assert health["healthcheck"]["test"] == ["CMD", "otel-chatbot", "probe", "http://localhost:13133/health"]
    collector = (ROOT / "collector/config.yaml").read_text()
    assert 'health_check: {endpoint: "${env:COLLECTOR_HEALTH:-0.0.0.0:13133}", path: /health}' in collector


def test_services_are_where_the_configurations_look_for_them() -> None:
    addresses = scrape.Addresses()
    assert (addresses.collector, addresses.collector_itself) == ("collector:8889", "collector:8888")
    defaults = re.findall(r"\$\{env:\w+:-(?:http://)?([a-z]+):\d+", (ROOT / "collector/config.yaml").read_text())
    assert set(defaults) <= SERVICES.keys()
    assert {"tempo", "loki", "redis", "mongodb"} <= set(defaults)


def test_settings_of_the_app_have_names_that_it_knows() -> None:
    given = {name: "1" for name in SERVICES["chatbot"]["environment"] if name.startswith(config.PREFIX)}
    assert config.Settings.from_env(given).warnings == ()


def test_the_committed_scrape_configurations_are_the_rendered_ones() -> None:
    for path, text in scrape.files().items():
        assert (ROOT / path).read_text() == text, path


@pytest.mark.parametrize("path", sorted(scrape.files()))
def test_promtool_finds_nothing_wrong_in_a_scrape_configuration(path: str) -> None:
    promtool = program("promtool", "install Debian's prometheus, or run `make setup`")
    done = subprocess.run([promtool, "check", "config", str(ROOT / path)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout
    assert not {"otlp", "scrape_protocols"} & yaml.safe_load((ROOT / path).read_text()).keys(), "2.42 does not know these"


def test_nothing_but_what_the_image_needs_is_sent_to_its_build() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {source for line in copied for source in line.split()} == set(kept)


def _defaults(text: str) -> str:
    return VARIABLE.sub(lambda match: match[2] or "", text)
