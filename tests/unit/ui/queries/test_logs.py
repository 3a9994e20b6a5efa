"""Log records page by page, narrowed without reading a whole table, and problems with an example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.viewer import batch_of, log_request, store

from otel_chatbot.ui.queries import logs
from otel_chatbot.ui.store import Store


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """300 records of two traces; every tenth is a warning, every fiftieth an error."""
    one = store(tmp_path_factory.mktemp("logs"))
    levels = [17 if number % 50 == 0 else 13 if number % 10 == 0 else 9 for number in range(1, 301)]
    one.write(
        batch_of(
            log_request(*(
                {
                    "body": f"line {number}", "at": number, "level": level, "trace": 1 + number % 2,
                    "attributes": {"exception.type": "KeyError"} if level == 17 else {},
                }
                for number, level in enumerate(levels, 1)
            ))
        )
    )  # fmt: skip
    yield one
    one.close()


def page(kept: Store, **wanted: Any) -> Any:
    with kept.reading() as db:
        return logs.logs(db, logs.WantedLogs(**wanted))


def lines(kept: Store, **wanted: Any) -> list[int]:
    """The numbers of all records that are wanted, page by page."""
    found: list[int] = []
    while True:
        shown = page(kept, **wanted)
        found += [int(one["body"].split()[1]) for one in shown["logs"]]
        if shown["before"] is None:
            return found
        wanted["before"] = int(shown["before"])


def test_all_records_are_listed_newest_first_each_once(kept: Store) -> None:
    assert lines(kept) == list(range(300, 0, -1))


@pytest.mark.parametrize(("level", "found"), [(13, 30), (14, 6), (17, 6), (21, 0)])
def test_a_level_leaves_out_what_is_below_it(kept: Store, level: int, found: int) -> None:
    assert len(lines(kept, level=level)) == found


def test_a_logger_stands_for_those_below_it(kept: Store) -> None:
    assert len(lines(kept, logger="shop.views")) == len(lines(kept, logger="shop")) == 300
    assert lines(kept, logger="sho") == lines(kept, logger="shop*") == [] or lines(kept, logger="sho") == []


def test_the_records_of_a_trace_are_its_own_and_a_text_that_is_no_trace_finds_none(kept: Store) -> None:
    assert lines(kept, trace=f"{1:032x}") == list(range(300, 0, -2))
    assert lines(kept, trace="nonsense") == []


def test_what_is_newer_than_a_record_is_asked_for_by_its_number(kept: Store) -> None:
    newest = page(kept)["logs"][0]
    assert page(kept, after=int(newest["id"]))["logs"] == []
    assert page(kept, after=int(newest["id"]), text="line")["logs"] == []
    assert len(page(kept, after=int(newest["id"]) - 2, text="line")["logs"]) == 2


def test_problems_have_their_kind_and_how_often_they_were_seen(kept: Store) -> None:
    with kept.reading() as db:
        found = logs.problems(db)["problems"]
    assert sum(one["count"] for one in found) == 6
    assert {(one["kind"], one["signal"], one["service"]) for one in found} == {("KeyError", "log", "shop")}
    assert all(one["first"] <= one["last"] for one in found)
