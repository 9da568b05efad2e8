"""Texts on the command line: the tokenizer that is kept, what is written and printed, and what is refused."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fgcompile.artifact.file import read_metadata
from fgcompile.cli.arguments import InputShape, parse_input
from fgcompile.cli.tokenizer import find_tokenizer
from fgcompile.compiler.request import Request
from fgcompile.compiler.sources import open_model
from fgcompile.errors import CaptureWarning
from tests.cli.results import Run, assert_one_line_error
from tests.support.texts import Classifier, Embedder, example, text_artifact, wordpiece


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact for texts, of any length."""
    folder = tmp_path_factory.mktemp("texts")
    text_artifact("classifier").save(folder / "text.onnx")
    return folder


def test_a_page_pictures_and_numbers(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    Path("more.txt").write_text("a joy\n\n<b>dull</b> film\n")
    result = run("explain", "text.onnx", "The film was dull", "--file", "more.txt", "-o", "out")
    assert result.status == 0, result.err
    names = {"explained.html", "explained.json", "text-1.png", "text-2.png", "text-3.png"}
    assert {path.name for path in Path("out").iterdir()} == names
    assert "The film was dull" in result.out
    assert "explained.html" in result.out
    assert "&lt;b&gt;bright&lt;/b&gt;" in Path("out/explained.html").read_text() or "dull" in result.out
    records = json.loads(Path("out/explained.json").read_text())
    assert [record["text"] for record in records] == ["The film was dull", "a joy", "<b>dull</b> film"]
    again = run("explain", "text.onnx", "The film was dull", "more.txt", "-o", "out", "--json", "--target", "1")
    assert [record["target"] for record in json.loads(again.out)] == [1, 1, 1]
    assert json.loads(again.out)[0]["words"][0]["text"] == "The"


def test_pairs_and_texts_that_cannot_be_explained(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    result = run("explain", "text.onnx", "the film\ta joy", "-o", "out", "--pairs", "--json")
    assert [word["segment"] for word in json.loads(result.out)[0]["words"]] == [0, 0, 1, 1]
    result = run("explain", "text.onnx", " ", "dull", "-o", "out")
    assert result.status == 1
    assert "not explained: ' ': a text is empty" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no texts"),
        (["dull", "--target", "cat"], None),
        (["none.txt"], "none.txt: cannot be read"),
        (["a", "--pairs"], "no pair"),
        (["It is no.txt"], "(No such file or directory): give a UTF-8 file, or if it is a text --text 'It is no.txt'"),
        (["a", "--box", "b:xyxy", "--npy"], "--box and --npy: only for artifacts of photos"),
        (["a", "--top", "2"], "several targets are not done for texts: ask one by one with --target"),
        (["a", "--targets", "0,1"], "several targets are not done for texts"),
    ],
)
def test_mistakes(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str | None
) -> None:
    monkeypatch.chdir(folder)
    result = run("explain", "text.onnx", *arguments, "-o", "out")
    if message is None:  # the other texts are explained all the same
        assert (result.status, "no class" in result.err) == (1, True)
    else:
        assert_one_line_error(result, message)


def test_a_text_that_is_called_as_a_file_is_meant_or_the_file(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a film").write_text("the joy\n")
    Path("dull").mkdir()
    names = {"a film": "is a file, and this artifact takes texts", "dull": "is a folder, and this artifact takes texts"}
    artifact = folder / "text.onnx"
    for name, message in names.items():
        result = run("explain", artifact, name, "-o", "out")
        assert_one_line_error(result, f"{name} {message}: give --file")
        assert f"for this word --text {shlex.quote(name)}" in result.err
    assert "give --file 'a film' for what it holds" in run("explain", artifact, "a film", "-o", "out").err
    given = ["the film", "--text", "a film", "--text", "dull", "--text", "no.txt", "--file", "a film"]
    result = run("explain", artifact, *given, "-o", "out", "--json", "--target", "dull")
    texts = [record["text"] for record in json.loads(result.out)]
    assert texts == ["the film", "a film", "dull", "no.txt", "the joy"]
    assert {record["target"] for record in json.loads(result.out)} == {0}  # a class, whatever is called so


def test_options_of_texts_are_refused_for_photos(run: Run, tiny: Path, tmp_path: Path) -> None:
    for options in (["--pairs"], ["--text", "a"]):
        result = run("explain", tiny, "photo.jpg", *options, "-o", tmp_path / "out")
        assert_one_line_error(result, f"{options[0]}: only for")
    assert_one_line_error(run("explain", tiny, "-o", tmp_path / "out"), "no pictures")


def test_compile_keeps_the_tokenizer_that_is_named(run: Run, tmp_path: Path) -> None:
    wordpiece().save(str(tmp_path / "tokenizer.json"))
    inputs = [part for name in ("input_ids", "attention_mask") for part in ("--input", f"{name}=5:int64")]
    options = ["--rules", "libragrad", "--target", "0", "--tokenizer", tmp_path, "-o", tmp_path / "out.onnx"]
    result = run("compile", "tests.support.texts:Embedder", *inputs, *options)
    assert result.status == 0, result.err
    assert 'session.explain_text("…")' in result.out
    assert "fgcompile explain" in result.out
    metadata = read_metadata(tmp_path / "out.onnx")
    assert json.loads(run("inspect", tmp_path / "out.onnx", "--json").out)["tokenizer"] == metadata["tokenizer"]
    assert "tokenizer" in run("inspect", tmp_path / "out.onnx").out
    assert run("explain", tmp_path / "out.onnx", "dull", "-o", tmp_path / "out").status == 0


def test_shapes_that_a_configuration_says_keep_the_tokenizer(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model says its shapes as one of Transformers does, and nobody gives any."""
    wordpiece().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text("{}")
    model = Embedder().eval()
    model.config = SimpleNamespace(max_position_embeddings=10)
    model.main_input_name = "input_ids"
    monkeypatch.setattr("fgcompile.cli.building.seeded_model", lambda *args: model)
    monkeypatch.setattr("fgcompile.cli.compiling.require_there", lambda *args: None)  # Transformers need not be
    options = ["--rules", "libragrad", "--target", "0"]
    monkeypatch.chdir(tmp_path)
    result = run("compile", "transformers:.", *options, "-o", "net.onnx")
    assert result.status == 0, result.err
    assert "--tokenizer" not in result.out
    assert "tokenizer" in read_metadata(Path("net.onnx"))
    monkeypatch.setattr("fgcompile.cli.tokenizer._takes_texts", lambda model, shapes: False)
    result = run("compile", "transformers:.", *options, "-o", "ids.onnx")
    assert "--tokenizer tokenizer.json keeps it" in " ".join(result.out.split())
    assert_one_line_error(run("explain", "ids.onnx", "a.jpg", "-o", "out"), "compile it with --tokenizer PATH")


IDS = [InputShape((5,), "int64"), InputShape((5,), "int64")]


def test_the_tokenizer_beside_a_model_of_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    source, model, path = f"transformers:{tmp_path}?num_labels=2", Embedder(), tmp_path / "tokenizer.json"
    assert find_tokenizer(None, source, model, IDS) is None
    wordpiece().save(str(path))
    assert find_tokenizer(None, source, model, IDS) == path
    assert find_tokenizer(None, f"transformers:{tmp_path}/config.json", model, IDS) == path
    assert find_tokenizer(tmp_path, "module:name", model, []) == tmp_path
    assert find_tokenizer(None, "module:name", model, IDS) is None
    assert find_tokenizer(None, source, model, [parse_input("pixel_values=3x8x8")]) is None
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    monkeypatch.setattr("fgcompile.cli.tokenizer.find_spec", lambda name: None)
    with pytest.warns(CaptureWarning, match=r"fgcompile\[text\]"):
        assert find_tokenizer(None, source, model, IDS) is None


def test_labels_of_a_configuration() -> None:
    """As Transformers has them, but for those that it makes up."""

    inputs = example("input_ids", "attention_mask", "token_type_ids")
    model = Classifier().eval()
    model.config = SimpleNamespace(id2label={0: "bad", 1: "good"})
    assert open_model(model, inputs, Request()).labels.names == ("bad", "good")
    for named in ({0: "LABEL_0", 1: "LABEL_1"}, {1: "a", 2: "b"}, {}, None, {0: "a\nb"}):
        model.config.id2label = named
        assert open_model(model, inputs, Request()).labels.names is None
