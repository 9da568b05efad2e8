"""The page marks what pictures of Python do: a place, or a candidate's box where it is known; and it names scores."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fgcompile
from benchmarks.serving.chromium import Page, missing, open_page
from fgcompile.artifact.file import read_artifact
from fgcompile.drawing.marks import marks_of
from fgcompile.media.boxes import Boxes
from fgcompile.scores import Difference
from tests.examples.conftest import HEIGHT, WIDTH, compile_colours

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

CELLS = (HEIGHT // 8, WIDTH // 8)


class Yolo(nn.Module):
    """An untrained detector's class logits, and beside them what its file returns: boxes, and the classes' sigmoids."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.trunk = nn.Sequential(nn.Conv2d(3, 8, 8, stride=8), nn.SiLU(), nn.Conv2d(8, 3, 3, padding=1))
        self.sizes = nn.Conv2d(3, 2, 8, stride=8)
        down, across = (8 * torch.arange(size) + 4.0 for size in CELLS)
        middles = torch.stack([across.repeat(CELLS[0]), down.repeat_interleave(CELLS[1])])
        self.register_buffer("middles", middles)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.trunk(x).flatten(2)
        sizes = 6 * self.sizes(x).flatten(2).exp() + 4
        middles = self.middles + torch.zeros_like(sizes)
        box = torch.cat([middles, middles + sizes] if self.kind == "corners" else [middles, sizes], 1)
        classes = (logits - 1 if self.kind == "others" else logits).sigmoid()
        whole = torch.cat([box, classes], 1)
        return logits, (whole.mT if self.kind == "turned" else whole)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo that is wider than the artifact's picture, so that this is a part of it."""
    path = tmp_path_factory.mktemp("noise") / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8)).save(path)
    return path


def compile_yolo(path: Path, kind: str) -> Path:
    torch.manual_seed(0)
    preprocess = fgcompile.Preprocess((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    outputs = ("logits", "saliency", "model")
    x = torch.randn(2, 3, HEIGHT, WIDTH)
    fgcompile.compile(Yolo(kind).eval(), x, preprocess=preprocess, output=0, outputs=outputs).save(path)
    return path


@pytest.fixture(scope="module")
def page(noise: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page with the photo on it, and no artifact yet."""
    with open_page(tmp_path_factory.mktemp("page")) as opened:
        opened.do("choose", file=noise)
        yield opened


@pytest.mark.parametrize("kind", ["middles", "turned", "corners", "others"])
def test_the_box_of_a_candidate_is_drawn_where_it_is_known(kind: str, page: Page, tmp_path: Path) -> None:
    artifact = compile_yolo(tmp_path / "yolo.onnx", kind)
    metadata = read_artifact(artifact)[1]
    (own,) = (spec["name"] for spec in metadata["outputs"] if spec["name"] not in ("logits", "saliency"))
    assert page.do("choose", file=artifact)["error"] == ""
    for element in (None, (1, 17)):
        if element is not None:
            page.do("explain", name=",".join(map(str, element)))
        drawn = page.do("drawn")
        if kind in ("corners", "others"):
            assert (drawn["mark"], drawn["marked"]) == (None, None)
            continue
        found = page.do("numbers")
        pixels = np.array(found["pixels"], np.uint8).reshape(1, HEIGHT, WIDTH, 3)
        values = fgcompile.load(artifact).explain(pixels).outputs[own][0]
        target = tuple(found["targets"][found["map"]])
        assert element in (None, target)
        box = Boxes(own, "cxcywh").of(target, values, (HEIGHT, WIDTH), metadata)
        left, top, right, bottom = drawn["outline"]
        expected = [
            start + np.clip(side, 0, 1) * (end - start)
            for side, (start, end) in zip(box, ((left, right), (top, bottom)) * 2, strict=True)
        ]
        assert drawn["mark"] == "box"
        np.testing.assert_allclose(drawn["marked"], expected, atol=0.006)  # the outline's own lines are whole pixels


def test_the_place_that_was_clicked_is_marked(page: Page, places: Path, colours: Path) -> None:
    metadata = read_artifact(places)[1]
    page.do("choose", file=places)
    marked = []
    for at in (None, [0.5, 0.4], [0.3, 0.6]):
        if at is not None:
            assert page.do("click", at=at)["error"] == ""
        drawn, found = page.do("drawn"), page.do("numbers")
        target = tuple(found["targets"][found["map"]])
        logits = np.reshape(found["logits"], (-1, HEIGHT, WIDTH))
        place = marks_of(target, logits, metadata).place
        assert place is not None
        left, top, right, bottom = drawn["outline"]
        middle = [(drawn["marked"][end] + drawn["marked"][end + 2]) / 2 for end in (0, 1)]
        expected = [left + place[1] * (right - left), top + place[0] * (bottom - top)]
        assert drawn["mark"] == "place"
        np.testing.assert_allclose(middle, expected, atol=0.006)
        if at is not None:
            np.testing.assert_allclose(middle, at[::-1], atol=0.02)
        marked.append(middle)
    assert len({tuple(middle) for middle in marked}) == 3
    page.do("choose", file=colours)  # a classifier has no places
    assert page.do("drawn")["mark"] is None


def test_a_score_is_called_by_its_name_and_has_the_value_that_its_terms_say(
    page: Page, photos: list[Path], tmp_path: Path
) -> None:
    page.do("choose", file=compile_colours(tmp_path / "difference.onnx", target=Difference(3, 5)))
    assert page.do("look")["caption"] == "dotterel − falcon"
    assert page.do("drawn")["mark"] is None
    outputs = ("logits", "saliency", "contributions")
    artifact = compile_colours(tmp_path / "terms.onnx", target=Difference(3, 5), outputs=outputs)
    page.do("choose", file=artifact)
    logits = fgcompile.load(artifact).explain(photos[0]).logits
    found = re.fullmatch(r"dotterel − falcon, score (-?\d+\.\d\d)", page.do("choose", file=photos[0])["caption"])
    assert found is not None
    assert float(found[1]) == pytest.approx(logits[0, 3] - logits[0, 5], abs=0.05)
