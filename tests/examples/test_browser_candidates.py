"""The page asks a detector's raw output about a class and a candidate: the surest of each class, or one by number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fgcompile
from benchmarks.serving.chromium import Page, missing, open_page
from fgcompile.page.site import require_shown
from tests.examples.conftest import compile_candidates, largest_difference

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

SHAPES = ["square", "disc", "triangle"]


def shown(page: Page) -> dict[str, Any]:
    found = page.do("numbers")
    found["logits"] = np.reshape(found["logits"], (len(SHAPES), 48))
    return found


def test_a_class_and_a_candidate(photos: list[Path], tmp_path: Path) -> None:
    artifact = compile_candidates(tmp_path / "candidates.onnx", labels=SHAPES)
    session = fgcompile.load(artifact)
    require_shown(session.metadata, artifact)
    (tmp_path / "page").mkdir()
    with open_page(tmp_path / "page", artifact) as page:
        seen = page.do("choose", file=photos[17])
        found = shown(page)
        surest = [int(index) for index in found["logits"].argmax(1)]
        order = np.argsort(-found["logits"].max(1))
        assert seen["classes"] == [f"{SHAPES[index]}, axis_2 {surest[index]}" for index in order]
        assert found["targets"] == [[order[0], surest[order[0]]]]
        assert largest_difference(session, found) < 1e-4

        listed = seen["classes"]
        seen = page.do("explain", name=SHAPES[order[2]])  # the surest of another class
        assert seen["caption"].startswith(f"{SHAPES[order[2]]}, axis_2 {surest[order[2]]}, score ")
        assert largest_difference(session, shown(page), [int(order[2]), surest[order[2]]]) < 1e-4

        seen = page.do("explain", name="1, 17")  # by number, as on the command line
        found = shown(page)
        assert seen["caption"] == f"disc, axis_2 17, score {found['logits'][1, 17]:.2f}".replace("-", "−")
        assert seen["classes"] == [*listed, "disc, axis_2 17"]
        assert largest_difference(session, found, [1, 17]) < 1e-4
        for text in ("2,-1", "-1"):
            page.do("explain", name=text)
            expected = [2, surest[2]] if text == "2,-1" else [order[0], surest[order[0]]]
            assert page.do("numbers")["targets"] == [expected]

        before = page.do("look")
        for text, message in (
            ("3,1", "target 3,1 is out of range: give as axis_1 an index from 0 to 2"),
            ("1,2,3", "give the indices axis_1,axis_2"),
        ):
            seen = page.do("explain", name=text)
            assert message in seen["error"]
            assert seen["caption"] == before["caption"]
        assert page.do("click", at=[0.5, 0.5])["caption"] == before["caption"]  # which no candidate is at


@pytest.mark.slow
def test_where_no_axis_is_the_classes_the_largest_are_listed(photos: list[Path], tmp_path: Path) -> None:
    artifact = compile_candidates(tmp_path / "candidates.onnx", targets=3)
    (tmp_path / "page").mkdir()
    with open_page(tmp_path / "page", artifact) as page:
        seen = page.do("choose", file=photos[17])
        found = shown(page)
        best = np.stack(np.unravel_index(np.argsort(-found["logits"].ravel(), kind="stable")[:10], (3, 48)), 1)
        assert found["targets"] == best[:3].tolist()
        assert seen["classes"] == [f"axis_1 {first}, axis_2 {second}" for first, second in best]
        page.do("explain", name="0,5")
        found = shown(page)
        assert found["targets"] == [[0, 5], *best[:2].tolist()]
        assert largest_difference(fgcompile.load(artifact), found, found["targets"]) < 1e-4
