"""The tutorials run as they are printed: their Python one block after the other, and the commands between."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmarks.networks.torchvision_shim import define_missing_operators
from fgcompile.cli import app
from tests.docs.test_paths import ROOT
from tests.support.sweeps import quick

TUTORIALS = ROOT / "docs" / "tutorials"

NEEDS = {
    "from-grad-cam-and-captum": (("sklearn", "scikit-learn"), ("captum", "captum"), ("pytorch_grad_cam", "grad-cam")),
    "sentiment": (("tokenizers", "tokenizers"),),
    "table": (("sklearn", "scikit-learn"),),
    "vision-transformer": (("safetensors", "safetensors"),),
}
"""Packages beside those of the tests: module, and what pip calls it."""

LARGEST = 60_000
"""Bytes of a picture."""


def test_the_menu_has_them_all() -> None:
    assert {path.stem for path in TUTORIALS.glob("*.md")} >= {"grey-pictures", "sound", "yolo", *NEEDS}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", quick((path.stem for path in sorted(TUTORIALS.glob("*.md"))), "sentiment"))
def test_a_tutorial_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    define_missing_operators()  # before grad-cam imports torchvision
    for module, package in NEEDS.get(name, ()):
        pytest.importorskip(module, reason=f"needs {package}: pip install {package}")
    monkeypatch.chdir(tmp_path)
    text = (TUTORIALS / f"{name}.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for language, code in re.findall(r"```(python|bash)\n(.*?)```", text, re.DOTALL):
        if language == "python":
            exec(compile(code, f"{name}.md", "exec"), names)
            continue
        for line in code.splitlines():
            program, *arguments = shlex.split(line, comments=True)
            assert program == "fgcompile"
            result = CliRunner().invoke(app, arguments)
            assert result.exit_code == 0, result.output
    assert_learned(name, names)
    for shown in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text):
        committed = TUTORIALS / shown
        assert committed.stat().st_size <= LARGEST
        with Image.open(tmp_path / shown) as made, Image.open(committed) as kept:
            assert made.size == kept.size, "the tutorial's code makes the picture: run it and commit what it writes"


def assert_learned(name: str, names: dict[str, Any]) -> None:
    """What the pages say of their networks and maps: one that has learned nothing shows nothing."""
    assert names["right"] > (0.85 if name == "vision-transformer" else 0.9)
    if name == "grey-pictures":
        magnitude, place = names["magnitude"], names["place"]
        assert magnitude[place].mean() > 10 * magnitude[~place].mean()
    if name == "sound":
        saliency, inside = names["saliency"], names["inside"]
        assert saliency[inside].mean() > 5 * saliency[~inside].mean()
    if name == "surface-defects":
        saliency, found = names["saliency"], names["found"]
        assert saliency[found].mean() > 5 * saliency[~found].mean()
    if name == "yolo":
        assert min(names["shares"]) > 0.7  # of the map, within a box of a tenth of the picture
    if name == "vision-transformer":
        assert names["found"] > 0.7  # by chance 0.25
        assert names["missed"] < 1e-4
    if name == "sentiment":
        scores = {word.text: word.score for word in names["found"].words}
        assert names["found"].name == "kind"
        assert scores["not"] > 0 > scores["dull"]
    if name == "from-grad-cam-and-captum":
        assert abs(names["ours"] - names["theirs"]).max() < 1e-4
        assert abs(names["explanation"].contributions.sum() - names["score"]) < 1e-4
