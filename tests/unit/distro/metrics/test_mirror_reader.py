"""Other libraries' instruments, as the store has them."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otel_chatbot.distro.instrumentations import INSTRUMENTATIONS
from otel_chatbot.distro.metrics.mirror_reader import MirrorReader
from otel_chatbot.metrics import view
from otel_chatbot.metrics.series import Value
from otel_chatbot.metrics.view import Family


def mirrored(prefix: str) -> dict[str, Family]:
    return {family.spec.name: family for family in view.read() if family.spec.name.startswith(prefix)}


def provider(*views: View) -> tuple[MeterProvider, MirrorReader]:
    reader = MirrorReader()
    made = MeterProvider([reader], Resource({}), shutdown_on_exit=False, views=views)
    reader.watch(made)
    return made, reader


def test_each_kind_of_instrument_is_mirrored_with_its_totals() -> None:
    made, reader = provider()
    meter = made.get_meter("shop")
    meter.create_counter("ma.orders", "{order}", "Orders").add(3, {"kind": "tea", "big": True})
    meter.create_up_down_counter("ma.open").add(-2)
    meter.create_gauge("ma.level").set(1.5)
    meter.create_histogram("ma.time", explicit_bucket_boundaries_advisory=[1.0, 2.0]).record(1.5)
    reader.refresh()
    reader.refresh()
    found = mirrored("ma.")
    assert [(p.attributes, p.value) for p in found["ma.orders"].points] == [({"kind": "tea", "big": "true"}, 3.0)]
    assert (found["ma.orders"].spec.unit, found["ma.orders"].spec.description) == ("{order}", "Orders")
    assert found["ma.open"].points[0].value == -2.0
    assert found["ma.level"].points[0].value == 1.5
    assert (found["ma.time"].histograms[0].counts, found["ma.time"].histograms[0].sum) == ([0, 1, 0], 1.5)
    assert found["ma.time"].spec.buckets == (1.0, 2.0)
    made.shutdown()


def test_our_own_scope_is_left_out_and_costs_no_collection() -> None:
    made, reader = provider()
    made.get_meter("otel_chatbot").create_counter("mb.ours").add(1)
    reader.refresh()
    made.get_meter("shop").create_counter("mb.theirs").add(1)
    reader.refresh()
    assert set(mirrored("mb.")) == {"mb.theirs"}
    made.shutdown()


def test_attributes_whose_values_never_end_are_dropped_and_their_points_added_up() -> None:
    made, reader = provider()
    counter = made.get_meter("openai").create_counter("mc.calls")
    for number in range(5):
        counter.add(
            1, {"model": "m", "openai.response.system_fingerprint": f"fp_{number}", "openai.response.service_tier": "x"}
        )
    reader.refresh()
    assert [(p.attributes, p.value) for p in mirrored("mc.")["mc.calls"].points] == [({"model": "m"}, 5.0)]
    made.shutdown()


def test_exemplars_of_sampled_spans_come_along() -> None:
    made, reader = provider()
    histogram = made.get_meter("shop").create_histogram("md.time", explicit_bucket_boundaries_advisory=[1.0])
    with TracerProvider(shutdown_on_exit=False).get_tracer("t").start_as_current_span("work") as span:
        histogram.record(3.0)
    reader.refresh()
    exemplar = mirrored("md.")["md.time"].histograms[0].exemplars[1]
    assert exemplar is not None
    assert (exemplar.value, exemplar.trace_id) == (3.0, span.get_span_context().trace_id)
    made.shutdown()


def test_an_exponential_histogram_is_left_out_with_one_line(caplog: object) -> None:
    made, reader = provider(View(instrument_name="me.time", aggregation=ExponentialBucketHistogramAggregation()))
    made.get_meter("shop").create_histogram("me.time").record(1.0)
    reader.refresh()
    reader.refresh()
    assert "me.time" not in mirrored("me.")
    assert caplog.text.count("exponential") == 1  # type: ignore[attr-defined]
    made.shutdown()


def test_edges_that_are_given_as_whole_numbers_read_as_those_of_other_workers_do() -> None:
    made, reader = provider()
    made.get_meter("shop").create_histogram("mf.size", explicit_bucket_boundaries_advisory=[1, 10]).record(5)
    reader.refresh()
    assert [repr(edge) for edge in mirrored("mf.")["mf.size"].spec.buckets] == ["1.0", "10.0"]
    made.shutdown()


@pytest.mark.parametrize("counted_by_us", [True, False])
def test_calls_of_the_openai_client_that_we_count_are_not_counted_again_by_others(
    counted_by_us: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(INSTRUMENTATIONS, "active", {"genai"} if counted_by_us else set())
    tag = {"gen_ai.request.model": f"counted by us: {counted_by_us}"}
    made, reader = provider()
    for scope, name, owner in (
        ("opentelemetry.instrumentation.openai.v1", "gen_ai.system", "groq"),
        ("an.agent", "gen_ai.provider.name", "openai"),
        ("an.agent", "gen_ai.system", "OpenAI"),
        ("an.agent", "gen_ai.system", "anthropic"),
    ):
        made.get_meter(scope).create_histogram("gen_ai.client.operation.duration").record(1.0, {**tag, name: owner})
        made.get_meter(scope).create_histogram("mg.choices").record(1.0, {**tag, name: owner})
    reader.refresh()

    def kept(name: str) -> list[dict[str, Value]]:
        points = [point.attributes for family in mirrored(name).values() for point in family.histograms]
        return [attributes for attributes in points if attributes["gen_ai.request.model"] == tag["gen_ai.request.model"]]

    owners = {one.get("gen_ai.system") or one.get("gen_ai.provider.name") for one in kept("gen_ai.client.operation.duration")}
    assert owners == ({"anthropic"} if counted_by_us else {"groq", "openai", "OpenAI", "anthropic"})
    assert len(kept("mg.choices")) == 4
    made.shutdown()
