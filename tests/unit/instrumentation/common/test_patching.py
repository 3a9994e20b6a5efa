"""Whether a library was there before its instrumentation, and which objects of its classes are alive."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from otel_chatbot.instrumentation.common import patching


def test_a_library_was_imported_before_once_its_import_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_way.py").write_text(
        "from otel_chatbot.instrumentation.common import patching\n"
        "seen = patching.being_imported(__name__), patching.imported_before(__name__)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert (patching.being_imported("half_way"), patching.imported_before("half_way")) == (False, False)
    try:
        assert importlib.import_module("half_way").seen == (True, False)
        assert (patching.being_imported("half_way"), patching.imported_before("half_way")) == (False, True)
    finally:
        sys.modules.pop("half_way", None)


def test_a_module_without_a_spec_is_not_being_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "made_by_hand", type(sys)("made_by_hand"))
    assert not patching.being_imported("made_by_hand")
    assert patching.imported_before("made_by_hand")


def test_the_objects_of_classes_and_their_subclasses_are_found_less_those_of_others() -> None:
    class Client:
        pass

    class Own(Client):
        pass

    class Below(Own):
        pass

    class Other:
        pass

    objects = Client(), Own(), Below(), Other()
    assert {*map(id, patching.living((Client,)))} == {*map(id, objects[:3])}
    assert patching.living((Client,), without=(Own,)) == [objects[0]]
    assert {*map(id, patching.living((Below, Other)))} == {*map(id, objects[2:])}


def test_of_objects_that_are_gone_nothing_is_found() -> None:
    class Client:
        pass

    assert patching.living((Client,)) == []
