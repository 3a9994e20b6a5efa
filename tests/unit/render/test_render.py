"""`otel-chatbot render`, and what it renders from: PromQL out of rows, YAML that reads back, panels in their places."""

from __future__ import annotations

import json
from pathlib import Path

import promql_parser as pp
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otel_chatbot import config, render
from otel_chatbot.cli import main
from otel_chatbot.render.boards import everything
from otel_chatbot.render.dashboard import Dashboard
from otel_chatbot.render.panels import Panel, Query, Row
from otel_chatbot.render.promql import CHOSEN, Scope, eq, like, ne, ratio, unlike
from otel_chatbot.render.yaml_text import yaml_text
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec

# the command


def test_render_writes_every_file_and_check_then_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "--root", str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().out.count("differs") == len(render.files())
    assert not list(tmp_path.iterdir()), "a check writes nothing"
    assert main(["render", "--root", str(tmp_path)]) == 0
    written = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == render.files()
    assert main(["render", "--root", str(tmp_path), "--check"]) == 0


def test_check_fails_and_names_the_file_that_was_changed_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["render", "--root", str(tmp_path)])
    rules = tmp_path / "prometheus/rules/alerts.yml"
    changed = rules.read_text().replace('for: "3m"', 'for: "30m"')
    rules.write_text(changed)
    capsys.readouterr()
    assert main(["render", "--root", str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "prometheus/rules/alerts.yml differs from what `otel-chatbot render` writes"
    ]
    assert rules.read_text() == changed
    assert main(["render", str(tmp_path), "--force"]) == 0
    assert rules.read_text() == render.files()["prometheus/rules/alerts.yml"]


def test_a_file_that_differs_is_shown_and_kept_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["render", str(tmp_path)])
    rules, missing = tmp_path / "prometheus/rules/alerts.yml", tmp_path / "prometheus/prometheus.yml"
    changed = rules.read_text().replace('for: "3m"', 'for: "30m"', 1)
    rules.write_text(changed)
    missing.unlink()
    capsys.readouterr()
    assert main(["render", str(tmp_path)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert {'-        for: "30m"', '+        for: "3m"', "prometheus/rules/alerts.yml kept as it is"} <= set(said)
    assert "prometheus/prometheus.yml written" in said
    assert said[-1] == "1 file differs and was kept: --force overwrites"
    assert rules.read_text() == changed
    assert missing.exists()
    assert main(["render", str(tmp_path), "--force"]) == 0
    assert "prometheus/rules/alerts.yml overwritten" in capsys.readouterr().out.splitlines()
    assert main(["render", str(tmp_path), "--check"]) == 0


def test_without_a_folder_it_is_shown_what_would_change_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prometheus").mkdir()
    own = tmp_path / "prometheus/prometheus.yml"
    own.write_text("scrape_configs: []\n")
    assert main(["render", "--force"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "-scrape_configs: []" in said
    assert "prometheus/prometheus.yml would be overwritten, with --force" in said
    assert "prometheus/rules/alerts.yml would be written" in said
    assert said[-1] == "nothing was written: name a folder, as in: otel-chatbot render ."
    assert [path.name for path in tmp_path.rglob("*")] == ["prometheus", "prometheus.yml"]
    assert own.read_text() == "scrape_configs: []\n"


@pytest.mark.parametrize("there", [b"\xff\xfe no text", b"", b"x\n" * 5000])
def test_whatever_stands_in_a_files_place_is_shown_in_bounds_and_kept(
    there: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prometheus").mkdir()
    (tmp_path / "prometheus/prometheus.yml").write_bytes(there)
    assert main(["render", str(tmp_path)]) == 1
    assert (tmp_path / "prometheus/prometheus.yml").read_bytes() == there
    assert len(capsys.readouterr().out.splitlines()) < 100


def test_a_folder_that_cannot_be_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["render", str(tmp_path / "file")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "Not a directory" in line


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://wiki.example/runbooks/", "https://wiki.example/runbooks/chatbot-no-data.md"),
        ("http://docs.example", "http://docs.example/chatbot-no-data.md"),
        ("https://docs.example/{page}/", "https://docs.example/chatbot-no-data/"),
        ("https://docs.example/?page={page}", "https://docs.example/?page=chatbot-no-data"),
    ],
)
@pytest.mark.parametrize("by", ["option", "setting"])
def test_the_runbooks_may_be_served_elsewhere(
    base: str, url: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "setting":
        monkeypatch.setattr(config, "current", lambda: config.Settings.from_env({"CHATBOT_OTEL_RUNBOOKS": base}))
    assert main(["render", str(tmp_path), *(["--runbooks", base] if by == "option" else [])]) == 0
    groups = yaml.safe_load((tmp_path / "prometheus/rules/alerts.yml").read_text())["groups"]
    urls = {rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]}
    assert url in urls
    assert all(each.startswith(base.partition("{")[0].rstrip("/")) for each in urls)


@pytest.mark.parametrize("base", ["docs/runbooks", "wiki.example/runbooks", "ftp://wiki.example"])
def test_a_base_that_is_no_absolute_address_is_refused(base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", str(tmp_path), "--runbooks", base]) == 2
    assert "expected one like https://" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# a metric is one row


def test_a_metric_that_is_renamed_changes_every_file_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = everything.panel(m.CACHE_HITS).json(1, 0, 0)
    renamed = MetricSpec("chatbot.cache.found", Kind.COUNTER, "{hit}", "Cache reads that returned a value")
    other = everything.panel(renamed).json(1, 0, 0)
    assert "chatbot_cache_hits_total" in json.dumps(panel)
    assert "chatbot_cache_found_total" in json.dumps(other)
    assert "chatbot_cache_hits_total" not in json.dumps(other)


@pytest.mark.parametrize("spec", m.ALL, ids=lambda spec: spec.name)
def test_every_metric_has_a_default_panel_with_its_unit_and_its_words(spec: MetricSpec) -> None:
    panel = everything.panel(spec).json(1, 0, 0)
    assert panel["description"] == spec.description
    assert spec.prometheus in panel["title"]
    pp.parse(panel["targets"][0]["expr"].replace("$__rate_interval", "1m"))
    if spec.kind is not Kind.COUNTER:
        assert panel["fieldConfig"]["defaults"]["unit"] == {"s": "s", "By": "bytes"}.get(spec.unit, "short")


# PromQL


def test_matchers_name_attributes_as_labels() -> None:
    attribute = "http.route"
    assert [eq(attribute, "/chat"), ne(attribute), like(attribute, "/c.*"), unlike(attribute, "/s.*")] == [
        'http_route="/chat"',
        'http_route!=""',
        'http_route=~"/c.*"',
        'http_route!~"/s.*"',
    ]


def test_a_scope_limits_groups_and_dates_what_is_asked() -> None:
    scope = Scope(matchers=('job="chatbot"',), by=("job",), window="5m")
    assert scope.rate(m.API_REQUESTS) == 'sum by (job) (rate(chatbot_api_requests_total{job="chatbot"}[5m]))'
    assert scope.over("1h").increase(m.RESPONSE_TIME) == (
        'sum by (job) (increase(chatbot_response_time_seconds_count{job="chatbot"}[1h]))'
    )
    assert Scope().split("http.route").value(m.ACTIVE_USERS, how="max") == "max by (http_route) (chatbot_active_users)"
    assert Scope().value(m.ACTIVE_USERS) == "sum (chatbot_active_users)"
    assert ratio("a", "b") == "a / (b > 0)"


def test_what_did_not_happen_is_zero_by_one_rule() -> None:
    assert CHOSEN.or_zero("x") == "x or on () vector(0)"
    parsed = pp.parse(CHOSEN.or_zero(ratio("sum (a)", "sum (b)")))
    assert (str(parsed.op), str(parsed.lhs.op)) == ("or", "/")


def test_a_bound_that_is_no_edge_of_the_histogram_is_refused() -> None:
    assert 'le="2.5"' in Scope().within(m.GEN_AI_FIRST_CHUNK, 2.5)
    with pytest.raises(ValueError, match=r"3\.0 is no edge of gen_ai\.client"):
        Scope().within(m.GEN_AI_FIRST_CHUNK, 3.0)


# YAML

_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\x85\ufeff"))
_LINES = st.lists(_TEXT.map(str.strip).filter(bool), min_size=2, max_size=3).map("\n".join)
_KEY = st.from_regex(r"[a-z_]{3,8}", fullmatch=True).filter(lambda key: key not in {"yes", "off", "true", "null", "false"})
_NODE = st.recursive(
    _TEXT | _LINES | st.integers(-999, 999) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEY, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_KEY, _NODE, min_size=1, max_size=4))
def test_yaml_reads_back_as_what_was_written(node: dict) -> None:
    assert yaml.safe_load(yaml_text(node, "a comment\nof two lines")) == node


@pytest.mark.parametrize(
    "text", ["on", "Yes", "null", "1h", "1.5", "a: b", "- x", 'say "it"', 'it\'s "it"', "", "#x", "{{ $x }}"]
)
def test_yaml_keeps_texts_that_look_like_something_else(text: str) -> None:
    assert yaml.safe_load(yaml_text({"value": text, "list": [text]})) == {"value": text, "list": [text]}


# places


def test_panels_flow_from_left_to_right_and_a_collapsed_row_takes_one_line() -> None:
    def panel(width: int, height: int) -> Panel:
        return Panel(
            "a title", "s", "a description", [Query("up", "{http.route} of {db.system.name}")], width=width, height=height
        )

    board = Dashboard(
        "a",
        "A",
        "…",
        [Row("one", [panel(12, 4), panel(12, 8), panel(8, 4)]), Row("two", [panel(8, 4)], True), Row("three", [])],
    )
    places = [(one["type"], *one["gridPos"].values()) for one in board.json()["panels"]]
    assert places == [
        ("row", 0, 0, 24, 1),
        ("timeseries", 0, 1, 12, 4),
        ("timeseries", 12, 1, 12, 8),
        ("timeseries", 0, 9, 8, 4),
        ("row", 0, 13, 24, 1),
        ("row", 0, 14, 24, 1),
    ]
    assert board.json()["panels"][1]["targets"][0]["legendFormat"] == "{{http_route}} of {{db_system_name}}"
    assert [one["id"] for one in board.json()["panels"]] == [1, 2, 3, 4, 5, 7]
