"""The rendered files, as they are committed: up to date, complete, accepted by promtool and by Grafana's own types."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser as pp
import pytest
import yaml
from jsonschema import Draft7Validator
from support import alert_cases, promql
from support.process import program

from otel_chatbot import config, render
from otel_chatbot.render import alerts
from otel_chatbot.render.alerts import Alert
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import collector as c
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv import prometheus as p
from otel_chatbot.semconv.spec import label_name, sample_names

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs/runbooks"
ROWS = [row for rows in alerts.ALERTS.values() for row in rows]
NAMES = sorted({row.name for row in ROWS})
BOARDS = promql.dashboards()


@pytest.mark.parametrize("name", sorted(render.files()))
def test_a_committed_file_is_what_would_be_rendered(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == render.files()[name], "run `otel-chatbot render`"


def test_nothing_else_lies_among_the_rendered_files() -> None:
    folders = ("prometheus", "grafana/dashboards", "docs/reference")
    there = {str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()}
    written_by_hand = {"docs/reference/cli.md", "docs/reference/api.md"}
    assert there - written_by_hand == {name for name in render.files() if name.startswith(folders)}


@pytest.mark.parametrize("question", [q for q in promql.questions() if q.kind == "panel"], ids=lambda question: question.where)
def test_no_panel_puts_a_zero_in_place_of_missing_figures(question: promql.Question) -> None:
    expr = promql.substituted(question.expr)
    assert "vector(" not in expr
    assert promql.without_zero(expr) == pp.parse(expr).prettify()


# names


def known_names() -> set[str]:
    ours = {name for spec in (*m.ALL, *c.ALL, *p.ALL) for name in sample_names(spec)}
    return ours | {rule["record"] for rule in promql.rules() if "record" in rule}


def test_every_metric_that_an_expression_names_is_in_the_tables() -> None:
    known = known_names()
    strays = {question.where: promql.names(question.expr) - known for question in promql.questions()}
    assert {where: names for where, names in strays.items() if names} == {}


def known_labels() -> set[str]:
    known = {label_name(name) for spec in (*m.ALL, *c.ALL, *p.ALL) for name in spec.attributes}
    resource = (a.DEPLOYMENT_ENVIRONMENT_NAME, a.SERVICE_VERSION, a.TELEMETRY_DISTRO_VERSION)
    return known | {p.JOB, p.INSTANCE, p.NAME, p.EDGE, "slo", *map(label_name, resource)}


def test_every_label_that_an_expression_names_is_an_attribute_of_a_table() -> None:
    used = set().union(*(promql.labels(question.expr) for question in promql.questions()))
    assert used <= known_labels()


def test_an_expression_of_a_metric_uses_that_metrics_own_attributes() -> None:
    by_sample = {name: spec for spec in (*m.ALL, *c.ALL) for name in sample_names(spec)}
    everywhere = {p.JOB, p.INSTANCE, p.EDGE, p.NAME, label_name(a.DEPLOYMENT_ENVIRONMENT_NAME)}
    wrong = []
    for question in promql.questions():
        for selector in promql.selectors(question.expr):
            spec = by_sample.get(selector.name or "")
            if spec is not None:
                own = everywhere | {label_name(name) for name in spec.attributes}
                wrong += [f"{question.where}: {one.name}" for one in selector.matchers.matchers if one.name not in own]
    assert wrong == []


def test_every_metric_of_the_package_is_on_a_dashboard() -> None:
    shown = set().union(*(promql.names(question.expr) for question in promql.questions() if question.kind == "panel"))
    assert [spec.name for spec in m.ALL if not shown & set(sample_names(spec))] == []


def test_no_expression_adds_up_bare_counters() -> None:
    counters = {spec.prometheus for spec in (*m.ALL, *c.ALL) if spec.kind is m.API_REQUESTS.kind} - {c.UPTIME.prometheus}
    bare = []
    for question in promql.questions():
        expr = promql.substituted(question.expr)
        for name in promql.names(question.expr) & counters:
            rated = rf"(?:rate|increase|present_over_time|absent_over_time)\({name}(?:{{[^}}]*}})?\["
            new = rf"\({name}(?:{{[^}}]*}})? unless {name}(?:{{[^}}]*}})? offset \w+\)"
            left = re.sub(f"{rated}|{new}", "", expr)
            bare += [f"{question.where}: {name}"] if re.search(rf"\b{name}\b", left) else []
    assert bare == []


# rules and alerts


def promtool(*arguments: str) -> str:
    command = [program("promtool", "install Debian's prometheus, or run `make setup`"), *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_accepts_the_rules() -> None:
    said = promtool("check", "rules", *map(str, promql.RULES))
    assert said.count("SUCCESS") == len(promql.RULES)


def test_promtools_tests_of_the_alerts_pass(tmp_path: Path) -> None:
    files = alert_cases.write(tmp_path)
    assert len(files) == 5
    assert promtool("test", "rules", *map(str, files)).count("SUCCESS") == len(files)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}-{'-'.join(row.all_labels.values())}")
def test_every_row_of_every_alert_fires_in_one_case_and_is_silent_in_another(row: Alert) -> None:
    cases = [case for case in CASES if case.alert == row.name]
    assert any(row in case.fires for case in cases), "no case in which it fires"
    assert any(row not in case.fires for case in cases), "no case in which it is silent"


CASES = (
    *alert_cases.OBJECTIVES, *alert_cases.CACHE, *alert_cases.APP, *alert_cases.BUDGETS, *alert_cases.TELEMETRY,
    *alert_cases.COLLECTOR,
)  # fmt: skip


def test_every_alert_says_what_users_feel_what_was_measured_and_what_to_read() -> None:
    found = [rule for rule in promql.rules() if "alert" in rule]
    assert {rule["alert"] for rule in found} == set(NAMES)
    for rule in found:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert re.search(r"[Uu]sers", rule["annotations"]["summary"]), rule["alert"]
        assert rule["annotations"]["description"]
        assert (ROOT / rule["annotations"]["runbook_url"]).is_file(), rule["annotations"]["runbook_url"]


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_says_what_the_alert_means_what_to_look_at_and_what_to_do(name: str) -> None:
    [page] = {row.page for row in ROWS if row.name == name}
    text = (RUNBOOKS / f"{page}.md").read_text()
    assert text.startswith(f"# {name}\n")
    sections = re.findall(r"^## (.+)\n\n(.+)", text, re.MULTILINE)
    assert [title for title, _ in sections] == ["What it means", "What to look at", "What to do"]
    named = set(re.findall(r"`((?:chatbot|otelcol|db_client|gen_ai|http)_\w+)`", text))
    assert named <= known_names() | known_labels() | {spec.prometheus for spec in m.ALL}, "what is named is in no table"
    boards = set(re.findall(r"\*\*(Chatbot · [^*/]+?)\*\*", text))
    assert boards <= {board["title"] for board in BOARDS.values()}


def test_every_runbook_belongs_to_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == {row.page for row in ROWS}


# dashboards


@cache
def validator(definition: str) -> Draft7Validator:
    schema = json.loads((Path(__file__).parent / "grafana.schema.json").read_text())
    assert definition in schema["definitions"]
    return Draft7Validator({**schema, "$ref": f"#/definitions/{definition}"})


def problems(definition: str, instance: Any) -> Iterator[str]:
    for error in validator(definition).iter_errors(instance):
        yield f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"


def camel(kind: str) -> str:
    return "".join(part.capitalize() for part in kind.split("-"))


OF_PROMETHEUS = ("expr", "titleFormat", "textFormat")
"""What Grafana's data source of Prometheus reads of an annotation; the published types know the built-in source's fields only."""


@pytest.mark.parametrize("uid", BOARDS)
def test_a_dashboard_is_of_grafanas_own_types_panel_options_included(uid: str) -> None:
    board = json.loads(json.dumps(BOARDS[uid]))
    for annotation in board["annotations"]["list"]:
        for name in OF_PROMETHEUS:
            del annotation[name]
    found = list(problems("ClassicDashboard", board))
    for panel in promql.panels(BOARDS[uid]):
        found += problems(f"{camel(panel['type'])}Options", panel["options"])
        if panel["fieldConfig"]["defaults"]["custom"]:
            found += problems(f"{camel(panel['type'])}Custom", panel["fieldConfig"]["defaults"]["custom"])
    assert found == []


def test_the_schema_refuses_what_grafana_does_not_know() -> None:
    board = json.loads(json.dumps(BOARDS["chatbot-overview"]))
    board["pannels"] = []
    assert list(problems("ClassicDashboard", board))
    [panel, *_] = promql.panels(BOARDS["chatbot-overview"])
    assert list(problems("StatOptions", {**panel["options"], "colorMode": "loud"}))


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_has_what_a_reader_needs(uid: str) -> None:
    for panel in promql.panels(BOARDS[uid]):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"], panel["id"]
        assert panel["description"], panel["title"]
        assert defaults["unit"], panel["title"]
        assert defaults["thresholds"]["steps"][0]["value"] is None, panel["title"]
        assert panel["targets"], panel["title"]


@pytest.mark.parametrize("uid", BOARDS)
def test_panels_do_not_overlap_and_ids_are_their_own(uid: str) -> None:
    board = BOARDS[uid]
    open_panels = [panel for panel in board["panels"] if panel["type"] != "row" or not panel["collapsed"]]
    every = [*board["panels"], *(inner for panel in board["panels"] for inner in panel.get("panels", []))]
    assert len({panel["id"] for panel in every}) == len(every)
    for one, other in combinations([panel["gridPos"] for panel in open_panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


@pytest.mark.parametrize("uid", BOARDS)
def test_a_dashboard_has_its_variables_and_links_to_the_others(uid: str) -> None:
    board = BOARDS[uid]
    variables = [one["name"] for one in board["templating"]["list"]]
    assert variables[:3] == ["service", "environment", "instance"]
    asked = {name for name in ("route", "model") if f"${name}" in json.dumps(list(promql.panels(board)))}
    assert set(variables[3:]) == asked, "each variable is used, and each that is used is there"
    [links] = board["links"]
    assert (links["type"], links["includeVars"], links["keepTime"]) == ("dashboards", True, True)
    assert set(links["tags"]) <= set(board["tags"])
    assert 39 <= board["schemaVersion"] <= 42


def test_panels_of_the_collectors_receivers_stand_apart() -> None:
    receivers = {spec.prometheus for spec in c.OF_SERVERS}
    for board in BOARDS.values():
        for row in (panel for panel in board["panels"] if panel["type"] == "row" and panel["collapsed"]):
            receivers -= {name for panel in row["panels"] for one in panel["targets"] for name in promql.names(one["expr"])}
        outside = {
            name
            for panel in board["panels"]
            if panel["type"] != "row"
            for one in panel["targets"]
            for name in promql.names(one["expr"])
        }
        assert not outside & {spec.prometheus for spec in c.OF_SERVERS}
    assert receivers == set()


# provisioning


def sources() -> dict[str, dict[str, Any]]:
    text = (ROOT / "grafana/provisioning/datasources/chatbot.yml").read_text()
    return {one["uid"]: one for one in yaml.safe_load(text)["datasources"]}


def test_every_data_source_that_a_dashboard_or_a_link_names_is_provisioned() -> None:
    there = set(sources())
    used = {panel["datasource"]["uid"] for board in BOARDS.values() for panel in promql.panels(board)}
    links = set(re.findall(r"datasourceUid: ([\w-]+)", (ROOT / "grafana/provisioning/datasources/chatbot.yml").read_text()))
    assert used == {"chatbot-prometheus"}
    assert used | links <= there


def test_a_figure_leads_to_its_trace_a_span_to_its_records_a_record_to_its_trace() -> None:
    found = sources()
    [exemplar] = found["chatbot-prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert (exemplar["name"], exemplar["datasourceUid"]) == ("trace_id", "chatbot-traces")
    assert found["chatbot-traces"]["jsonData"]["tracesToLogsV2"]["datasourceUid"] == "chatbot-logs"
    [derived] = found["chatbot-logs"]["jsonData"]["derivedFields"]
    assert derived["datasourceUid"] == "chatbot-traces"


def test_a_dollar_that_is_grafanas_own_is_doubled_in_provisioning() -> None:
    for path in (ROOT / "grafana/provisioning").rglob("*.yml"):
        lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
        assert re.findall(r"(?<!\$)\$(?!\$)", "\n".join(lines).replace("$$", "")) == [], path


# the reference


def test_the_reference_lists_every_metric_and_every_setting() -> None:
    metrics = (ROOT / "docs/reference/metrics.md").read_text()
    settings = (ROOT / "docs/reference/settings.md").read_text()
    assert [spec.name for spec in m.ALL if f"| `{spec.name}` | " not in metrics] == []
    assert [spec.prometheus for spec in m.ALL if f"`{spec.prometheus}`" not in metrics] == []
    names = [config.env_name(field) for field in config.fields()]
    assert [name for name in names if settings.count(f"| `{name}` |") != 1] == []
