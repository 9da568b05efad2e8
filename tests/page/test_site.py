"""The folder that `fgcompile page` writes, and the artifacts that it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fgcompile.artifact.metadata import loads
from fgcompile.errors import ArtifactError, InputError, OutputError
from fgcompile.page import site
from fgcompile.page.packages import Package
from tests.support.tiny_artifacts import dumps, onnx_artifact, tiny_metadata

PHOTO = {"name": "x", "dtype": "uint8", "shape": ["batch", 8, 6, 3]}
PREPROCESS = {"mean": [0.5] * 3, "std": [0.5] * 3}


def described(**changes: Any) -> Any:
    metadata = {**tiny_metadata(), "preprocess": PREPROCESS}
    metadata["inputs"] = [PHOTO, *metadata["inputs"][1:]]
    return {**metadata, **changes}


def test_tiny_photos_are_shown() -> None:
    site.require_shown(loads(dumps(described()), "tiny"), Path("tiny.onnx"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preprocess": None}, "takes prepared arrays, not photos: compile it with --mean and --std"),
        (
            {"preprocess": None, "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 2, 500]}]},
            r"takes x \(batch, 2, 500\), and the page explains photos and texts: save arrays by numpy.save",
        ),
        (
            {"preprocess": None, "inputs": [{"name": "input_ids", "dtype": "int64", "shape": ["batch", 5]}]},
            "numbers of a text's tokens, no texts: compile it with --tokenizer FILE",
        ),
        ({"inputs": [{**PHOTO, "shape": ["batch", 8, 6, 4]}]}, "takes x: the page has one grey or RGB photo"),
        ({"inputs": [PHOTO, {**PHOTO, "name": "y"}]}, "takes x, y: the page has one"),
    ],
)
def test_what_the_page_cannot_show_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        site.require_shown(described(**changes), Path("tiny.onnx"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "torchscript"}, "is torchscript, and browsers run ONNX"),
        ({"batch": {"size": 4}}, "takes 4 samples a call, and the page has one"),
    ],
)
def test_what_browsers_cannot_run_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        site.require_onnx(described(**changes), Path("tiny.onnx"))


def test_a_page_is_whole_or_has_no_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "node_modules"
    (packages / "tiny").mkdir(parents=True)
    (packages / "tiny" / "package.json").write_text('{"version": "1"}')
    monkeypatch.setattr(site, "read_lock", lambda page: [Package("tiny", "1", "MIT", "", ["index.js"], [page])])
    monkeypatch.setattr(site, "require_shown", lambda metadata, path: None)
    (tmp_path / "net.onnx").write_bytes(onnx_artifact())
    with pytest.raises(InputError, match="has no tiny 1"):
        site.write_page(tmp_path / "net.onnx", tmp_path / "site", packages)
    assert not (tmp_path / "site" / "index.html").exists()
    (packages / "tiny" / "index.js").write_text("export {}")
    steps: list[str] = []
    site.write_page(tmp_path / "net.onnx", tmp_path / "site", packages, report=steps.append)
    assert steps == ["tiny 1", "net.onnx"]
    assert (tmp_path / "site" / "packages" / "tiny" / "index.js").read_text() == "export {}"
    assert (tmp_path / "site" / "model.onnx").read_bytes() == onnx_artifact()
    assert {path.name for path in (tmp_path / "site").iterdir()} >= {"index.html", "main.js", "style.css"}
    assert not (tmp_path / "site" / "package.json").exists()


def test_the_page_of_somebody_else_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "read_lock", lambda page: [])
    monkeypatch.setattr(site, "require_shown", lambda metadata, path: None)
    (tmp_path / "net.onnx").write_bytes(onnx_artifact())
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("mine")
    with pytest.raises(OutputError, match=r"index.html is there already: give another folder, or delete it"):
        site.write_page(tmp_path / "net.onnx", tmp_path / "site")
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["index.html"]
    (tmp_path / "site" / "index.html").unlink()
    for _ in range(2):  # one of ours is replaced
        site.write_page(tmp_path / "net.onnx", tmp_path / "site")


def test_weights_beside_the_file_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.onnx").write_bytes(onnx_artifact())
    monkeypatch.setattr(site, "weights_file", lambda content, metadata, path: tmp_path / "net.onnx.data")
    with pytest.raises(InputError, match=r"has weights in net.onnx.data, more than a page can load"):
        site.write_page(tmp_path / "net.onnx", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_no_artifact_no_page(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"no artifact")
    with pytest.raises(ArtifactError):
        site.write_page(tmp_path / "net.onnx", tmp_path / "site")
    assert not (tmp_path / "site").exists()
