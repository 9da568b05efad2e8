"""Every way to ask an artifact takes whole numbers and names, and refuses in one line what only looks like one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fgcompile.errors import InputError
from fgcompile.media.explain import explain_photos
from fgcompile.runtime import Session
from tests.media.test_asking import CLASSES, PLACES, Flat, described

X = np.zeros((1, 32, 32, 3), np.uint8)
NONE = (1.5, 1.0, -1.0, True, False, float("nan"), np.float32(2), np.bool_(True), 1j, b"cat", {"cat"}, {1: 2}, object())
"""What is no class, though some of it would pass for one as an index of a list."""

WHOLE = (1, np.int8(1), np.uint64(1), np.array(1), torch.tensor(1), "black kite", np.array("black kite"))


def line(call: Callable[[], Any]) -> str:
    """The message that a call is refused with."""
    with pytest.raises(InputError) as raised:
        call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    "wrong", [*NONE, [1.5], [True], [[1]], [None], [], np.array([1.0]), np.array([True]), iter([1])]
)
def test_a_session_is_asked_for_whole_numbers(wrong: Any) -> None:
    session = Session(Flat(CLASSES), CLASSES)
    assert line(lambda: session.explain(X, wrong)).startswith(("target is ", "target has "))


def test_a_session_tells_numbers_that_no_array_of_indices_holds() -> None:
    session = Session(Flat(CLASSES), CLASSES)
    for wrong in (2**70, [2**70], 2**63):
        assert f"target {2**70 if wrong != 2**63 else wrong} is out of range" in line(
            lambda wrong=wrong: session.explain(X, wrong)
        )  # type: ignore[misc]


@pytest.mark.parametrize("right", [*WHOLE, [1], (np.int64(1),), ["black kite"], np.array(["black kite"]), range(1, 2)])
def test_a_session_takes_whole_numbers_and_names_of_any_kind(right: Any) -> None:
    found = Session(Flat(CLASSES), CLASSES).explain(X, right)
    assert found.target is not None
    assert np.asarray(found.target).tolist() == [1]


@pytest.mark.parametrize("wrong", [1.5, True, None, float("nan"), "1.5"])
def test_places_are_whole_numbers(wrong: Any) -> None:
    session = Session(Flat(PLACES), PLACES)
    for target in ((4, wrong, 2), ("cat", wrong, 2), [["cat", wrong, 2]], [[4, wrong, 2]]):
        assert line(lambda target=target: session.explain(X, target)).startswith("target")  # type: ignore[misc]
    for target in ((4, 1, 2), ("cat", 1, 2), ["cat", np.int64(1), 2], [["cat", 1, 2]], "cat,1,2"):
        found = session.explain(X, target)
        assert found.target is not None
        assert np.asarray(found.target).tolist() == [[4, 1, 2]]


def test_several_targets_are_whole_numbers() -> None:
    metadata = described([("class", 5)], targets=2)
    session = Session(Flat(metadata), metadata)
    assert line(lambda: session.explain(X, [1, True])).startswith("target has True: give an int")
    assert np.asarray(session.explain(X, ["cat", 1]).target).tolist() == [[4, 1]]


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Any]:
    """Explains a photo with further options."""
    Image.fromarray(X[0]).save(tmp_path / "photo.png")
    session = Session(Flat(CLASSES), CLASSES)

    def explain(**options: Any) -> Any:
        (record,) = explain_photos(session, [tmp_path / "photo.png"], tmp_path / "out", **options)
        return record

    return explain


@pytest.mark.parametrize("wrong", NONE)
def test_photos_are_asked_for_whole_numbers(wrong: Any, ask: Callable[..., Any]) -> None:
    assert "target's class is" in line(lambda: ask(target=wrong))
    assert line(lambda: ask(targets=wrong)).startswith("targets is ")
    assert "target's class is" in line(lambda: ask(targets=[2, wrong]))
    assert line(lambda: ask(top=wrong)).startswith("top is ")
    assert line(lambda: ask(box=wrong)).startswith("box ")


def test_photos_are_asked_by_numbers_and_names_of_any_kind(ask: Callable[..., Any]) -> None:
    for right in (*WHOLE[:4], "black kite", ["black kite"], np.array(["black kite"])):
        assert ask(target=right)["target"] == 1
    for several in ([1, "cat"], (np.int64(1), 4), np.array([1, 4]), "black kite,cat"):
        assert [each["target"] for each in ask(targets=several)["explained"]] == [1, 4]
    assert len(ask(top=np.int64(3))["explained"]) == 3
    assert "top is '2': give a whole number" in line(lambda: ask(top="2"))


@pytest.mark.parametrize("wrong", [*NONE, "2", None])
def test_the_best_are_a_whole_number(wrong: Any) -> None:
    one = Session(Flat(CLASSES), CLASSES).explain(X)[0]
    assert line(lambda: one.top(wrong)).startswith("k is ")
    assert len(one.top(np.int64(2))) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["actors", "threads", "batch"])
def test_workers_are_a_whole_number(name: str) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install 'fgcompile[ray]'")
    from fgcompile.bulk.options import Workers

    for wrong in (1.5, True, "2", float("nan"), 0):
        assert line(lambda wrong=wrong: Workers(**{name: wrong})).startswith(f"{name} is ")  # type: ignore[misc]
