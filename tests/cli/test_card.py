"""``fgcompile card``: what lies in the folder, what the Hub reads of the card, and what of it others wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from markdown_it.token import Token
from torch import nn

import fgcompile
from benchmarks.pictures.files import png
from fgcompile.cli import facts
from tests.cli.results import Run, assert_one_line_error
from tests.support.texts import text_artifact
from tests.support.tiny_artifacts import photo_artifact

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
HOSTILE = ["a|b", "<script>alert(1)</script>", "[x](http://y)", "`c` # d", "**e**"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An artifact of photos, and photos."""
    (tmp_path / "net.onnx").write_bytes(photo_artifact(labels=HOSTILE))
    (tmp_path / "my photo (1).png").write_bytes(png(PIXELS))
    (tmp_path / "other.png").write_bytes(png(255 - PIXELS))
    (tmp_path / "broken.png").write_bytes(png(PIXELS)[:100])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tokens(card: Path) -> list[Token]:
    """The card as Markdown has it, nothing of it left out."""
    parsed = MarkdownIt("commonmark").enable("table").parse(ModelCard(card.read_text("utf-8")).text)
    return [token for each in parsed for token in (each, *(each.children or ()))]


def rows(card: Path) -> list[int]:
    """The cells of each row of its tables."""
    counts: list[int] = []
    for token in tokens(card):
        if token.type == "tr_open":
            counts.append(0)
        if token.type in ("td_open", "th_open"):
            counts[-1] += 1
    return counts


def front_matter(card: Path) -> dict[str, Any]:
    found: dict[str, Any] = ModelCard(card.read_text("utf-8")).data.to_dict()
    return found


def test_a_folder_of_photos(run: Run, folder: Path) -> None:
    result = run(
        "card", "net.onnx", "my photo (1).png", "other.png", "-o", "out", "--repo", "jane/n", "--license", "mit"
    )
    assert (result.status, result.err) == (0, "")
    assert "hf upload jane/n out" in result.out
    files = {path.relative_to("out").as_posix() for path in Path("out").rglob("*") if path.is_file()}
    maps = {"maps/my photo (1)-explained.png", "maps/other-explained.png"}
    assert files == {"README.md", "net.onnx", "labels.txt", "preprocessing.json", *maps}
    assert Path("out/net.onnx").read_bytes() == Path("net.onnx").read_bytes()
    preprocessing = json.loads(Path("out/preprocessing.json").read_text("utf-8"))
    assert preprocessing["mean"] == fgcompile.load("out/net.onnx").metadata["preprocess"]["mean"]
    card = Path("out/README.md")
    assert front_matter(card) == {
        "library_name": "fgcompile",
        "pipeline_tag": "image-classification",
        "license": "mit",
        "tags": ["fullgrad", "explainability", "saliency-map", "onnx"],
    }
    pictures = [str(token.attrs["src"]) for token in tokens(card) if token.type == "image"]
    assert [src.replace("%20", " ").replace("%28", "(").replace("%29", ")") for src in pictures] == sorted(maps)
    (code,) = (token.content for token in tokens(card) if token.type == "fence")
    assert "jane/n" in code
    compile(code, "card", "exec")


def test_labels_are_words_not_markup(run: Run, folder: Path) -> None:
    for number in range(len(HOSTILE)):  # each is explained once
        pixels = np.zeros_like(PIXELS)
        pixels[..., number % 3] = 255
        (folder / f"{number}.png").write_bytes(png(pixels))
    assert run("card", "net.onnx", *(f"{number}.png" for number in range(5)), "-o", "out").status == 0
    card = Path("out/README.md")
    assert set(rows(card)) == {4, 2}
    kinds = {token.type for token in tokens(card)}
    assert not kinds & {"html_inline", "html_block", "code_inline", "strong_open"}
    links = [token.attrs["href"] for token in tokens(card) if token.type == "link_open"]
    assert links == ["https://arxiv.org/abs/1905.00780"]
    assert len(Path("out/labels.txt").read_text("utf-8").splitlines()) == len(HOSTILE)


def test_texts(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text_artifact("classifier").save("text.onnx")
    Path("more.txt").write_text("a | joy\n")
    result = run("card", "text.onnx", "The film was dull", "--file", "more.txt", "-o", "out")
    assert result.status == 0, result.err
    assert "pictures" not in Path("out/README.md").read_text("utf-8")
    assert front_matter(Path("out/README.md"))["pipeline_tag"] == "text-classification"
    assert [path.name for path in sorted(Path("out/maps").iterdir())] == ["text-1.png", "text-2.png"]
    assert set(rows(Path("out/README.md"))) == {4, 2}
    pair = run("card", "text.onnx", "--text", "the film\tnot dull", "--pairs", "--target", "0", "-o", "pair")
    assert pair.status == 0, pair.err
    assert "the film / not dull" in Path("pair/README.md").read_text("utf-8")
    for option in (["--window", "0,9"], ["--background", "black"], ["--page", "2"], ["--fit", "squash"]):
        refused = run("card", "text.onnx", "dull", *option, "-o", "none")
        assert_one_line_error(refused, f"{option[0]}: only for artifacts of photos")


def test_what_cannot_be_read_is_left_out_and_said(run: Run, folder: Path) -> None:
    result = run("card", "net.onnx", ".", "-o", "out")
    assert result.status == 1
    assert "left out of the card: broken.png" in result.out
    assert {path.name for path in Path("out/maps").iterdir()} == {
        "my photo (1)-explained.png",
        "other-explained.png",
    }
    Path("a.txt").write_text("a text\n")
    assert_one_line_error(
        run("card", "net.onnx", "other.png", "--file", "a.txt", "-o", "b"), "only for artifacts of texts"
    )


def test_photos_are_read_as_explain_reads_them(run: Run, folder: Path) -> None:
    """Of 16 bits, whose black and white the file does not say; and of a card of before nothing is explained."""
    np.save("deep.npy", PIXELS.astype(np.uint16) + 1000)
    assert_one_line_error(run("card", "net.onnx", "deep.npy", "-o", "out"), "--window")
    arguments = ("deep.npy", "--window", "1000,1255", "--target", "2")
    assert run("card", "net.onnx", *arguments, "-o", "out").status == 0
    assert run("explain", "net.onnx", *arguments, "-o", "explained").status == 0
    picture = Path("explained/deep-explained.png").read_bytes()
    assert Path("out/maps/deep-explained.png").read_bytes() == picture
    again = run("card", "net.onnx", ".", "-o", "out2")
    assert again.err == "passed over: 2 pictures that fgcompile wrote: name each to explain it\n"
    assert {path.name for path in Path("out2/maps").iterdir()} == {
        "my photo (1)-explained.png",
        "other-explained.png",
    }
    assert_one_line_error(run("card", "net.onnx", "--window", "0,9", "-o", "out3"), "none are given")


def test_facts_of_artifacts_that_take_tokens() -> None:
    ids = {"name": "input_ids", "dtype": "int64", "shape": ["batch", "length"], "largest": ["batch", 24]}
    assert facts.longest({"inputs": [ids], "target": "predicted"}) == {"longest text": "24 tokens"}  # type: ignore[typeddict-item]
    kept = {"inputs": [ids], "target": "predicted", "tokenizer": {"longest": 12}}
    assert facts.longest(kept) == {"longest text": "12 tokens"}  # type: ignore[arg-type]
    assert facts.longest({"inputs": [{**ids, "name": "x"}], "target": 0}) == {}  # type: ignore[typeddict-item]


def test_weights_beside_go_along(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x = torch.randn(2, 64)
    fgcompile.compile(nn.Linear(64, 512).eval(), x, external_data=True).save("net.onnx")
    assert run("card", "net.onnx", "-o", "out").status == 0
    assert {path.name for path in Path("out").iterdir()} == {"README.md", "net.onnx", "net.onnx.data"}
    assert fgcompile.load("out/net.onnx").predict(x.numpy()).shape == (2, 512)
    assert "pipeline_tag" not in front_matter(Path("out/README.md"))


def test_what_is_refused_leaves_nothing(run: Run, folder: Path) -> None:
    for arguments, message in (
        (["broken.png"], "broken.png"),
        (["other.png", "--repo", "jane"], "--repo jane"),
        (["other.png", "--license", "a\nb"], "--license"),
    ):
        result = run("card", "net.onnx", *arguments, "-o", "out")
        assert_one_line_error(result, message)
        assert not Path("out").exists()
    Path("out").mkdir()
    Path("out/README.md").write_text("mine")
    assert_one_line_error(run("card", "net.onnx", "other.png", "-o", "out"), "is there already")
    assert [path.name for path in Path("out").iterdir()] == ["README.md"]
