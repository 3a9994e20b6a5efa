"""The two configurations of Prometheus: through the collector, or straight from the apps. Never both for one app.

Fed by addresses (the defaults are those of docker-compose.yml); feeds `prometheus/prometheus.yml`, `prometheus/direct.yml`
and the tests, which render them with the addresses of their own servers. What both say is written once, here.

The labels that rules and dashboards may rely on, on either path: `job` (the service), `instance` (one run of the app, or its
address) and `deployment_environment_name`. The text is valid on Prometheus 2.42 and 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..semconv.attributes import DEPLOYMENT_ENVIRONMENT_NAME
from ..semconv.spec import label_name

_HEADER = """\
# Written by `otel-chatbot render`: change otel_chatbot/render/scrape.py instead.
# Start Prometheus with --enable-feature=exemplar-storage, or no figure leads to its trace.
"""


@dataclass(frozen=True)
class Addresses:
    """Where Prometheus finds what it scrapes, as `host:port`, how often, and the rules' files (none where it is empty)."""

    collector: str = "collector:8889"
    collector_itself: str = "collector:8888"
    apps: Sequence[str] = ("localhost:5000",)
    prometheus: str = "localhost:9090"
    environment: str = "development"
    interval: str = "15s"
    rules: str = "rules/*.yml"


def prometheus(addresses: Addresses = Addresses()) -> str:
    """The configuration that scrapes the collector: what apps and servers told it, and its own figures."""
    jobs = f"""\
  # What the apps and the servers told the collector; honor_labels keeps the apps' own job and instance.
  - job_name: 'collector'
    honor_labels: true
    static_configs:
      - targets: ['{addresses.collector}']

  # The collector about itself: queues, refusals, failed exports.
  - job_name: 'otelcol'
    static_configs:
      - targets: ['{addresses.collector_itself}']
"""
    return _config(addresses, jobs)


def direct(addresses: Addresses = Addresses()) -> str:
    """The configuration that scrapes the apps' own `/metrics`; the environment's name, which they do not tell, is set here."""
    targets = ", ".join(f"'{app}'" for app in addresses.apps)
    jobs = f"""\
  # The apps themselves. Where CHATBOT_OTEL_ENDPOINT_TOKEN is set, add: authorization: {{credentials_file: /path/to/token}}
  - job_name: 'chatbot'
    metrics_path: '/metrics'
    static_configs:
      - targets: [{targets}]
        labels: {{{label_name(DEPLOYMENT_ENVIRONMENT_NAME)}: '{addresses.environment}'}}
"""
    return _config(addresses, jobs)


def files() -> dict[str, str]:
    """The committed files, by their path in the repository."""
    return {"prometheus/prometheus.yml": prometheus(), "prometheus/direct.yml": direct()}


def _config(addresses: Addresses, jobs: str) -> str:
    rules = f"\nrule_files: ['{addresses.rules}']\n" if addresses.rules else ""
    return f"""\
{_HEADER}
global:
  scrape_interval: {addresses.interval}
  evaluation_interval: {addresses.interval}
{rules}
scrape_configs:
{jobs}
  - job_name: 'prometheus'
    static_configs:
      - targets: ['{addresses.prometheus}']
"""
