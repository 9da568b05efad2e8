"""Artifacts whose weights lie beside them: read by ONNX itself, sealed as a pair, and refused where it is not whole."""

from __future__ import annotations

import gc
import json
import pickle
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn
from typer.testing import CliRunner

import fgcompile
from fgcompile.artifact import seal
from fgcompile.artifact.onnx_beside import relocated
from fgcompile.bench.run import bench
from fgcompile.cli import app
from fgcompile.compiler import compiled
from fgcompile.compiler.backends.onnx import emit
from fgcompile.errors import ArtifactError, InputError, OutputError
from fgcompile.serving.triton.configuration import Deployment
from fgcompile.serving.triton.repository import write_models

X = torch.randn(1, 20, generator=torch.Generator().manual_seed(0))


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 3)).eval()


@pytest.fixture(scope="module")
def pair() -> fgcompile.Artifact:
    return fgcompile.compile(network(), X, external_data=True)


@pytest.fixture(scope="module")
def whole() -> fgcompile.Artifact:
    return fgcompile.compile(network(), X)


@pytest.fixture
def path(pair: fgcompile.Artifact, tmp_path: Path) -> Path:
    pair.save(tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def explained(session: fgcompile.Session) -> list[np.ndarray]:
    found = session.explain(X.numpy())
    return [np.asarray(found.logits), np.asarray(found.saliency)]


def assert_same(session: fgcompile.Session, whole: fgcompile.Artifact) -> None:
    for value, expected in zip(explained(session), explained(whole.session()), strict=True):
        np.testing.assert_array_equal(value, expected)


def test_onnx_reads_the_weights_beside_it(path: Path, whole: fgcompile.Artifact) -> None:
    assert sorted(file.name for file in path.parent.iterdir()) == ["net.onnx", "net.onnx.data"]
    onnx.checker.check_model(path)
    read = {each.name: numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}
    one = onnx.load_from_string(whole.content)
    assert read.keys() == {each.name for each in one.graph.initializer}
    for tensor in one.graph.initializer:
        np.testing.assert_array_equal(read[tensor.name], numpy_helper.to_array(tensor))
    assert path.stat().st_size + (path.parent / "net.onnx.data").stat().st_size > len(whole.content)


def test_onnx_runtime_opens_it_without_us(path: Path, whole: fgcompile.Artifact) -> None:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits, saliency = session.run(["logits", "saliency"], {"x": X.numpy(), "target": np.array([-1])})
    expected = explained(whole.session())
    np.testing.assert_array_equal(logits, expected[0])
    np.testing.assert_array_equal(saliency, expected[1])


def test_the_weights_put_back_are_the_artifact_in_one_file(pair: fgcompile.Artifact, whole: fgcompile.Artifact) -> None:
    assert pair.pair is not None
    assert pair.pair.whole() == whole.content
    assert pair.metadata == whole.metadata


def test_the_same_model_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    again = tmp_path / "again" / "net.onnx"
    fgcompile.compile(network(), X, external_data=True).save(again)
    for suffix in ("", ".data"):
        assert Path(f"{again}{suffix}").read_bytes() == Path(f"{path}{suffix}").read_bytes()


def test_it_is_loaded_verified_pickled_and_opened_through_a_link(
    path: Path, whole: fgcompile.Artifact, tmp_path: Path
) -> None:
    assert_same(fgcompile.load(path), whole)
    assert_same(pickle.loads(pickle.dumps(fgcompile.load(path))), whole)
    assert fgcompile.verify(path, network(), X).passed
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "linked.onnx"
    link.symlink_to(path)
    assert_same(fgcompile.load(link), whole)
    renamed = path.rename(tmp_path / "renamed.onnx")
    assert_same(fgcompile.load(renamed), whole)


def test_openvino_opens_it(path: Path, whole: fgcompile.Artifact) -> None:
    pytest.importorskip("openvino")
    found = explained(fgcompile.load(path, providers=["OpenVINO"]))
    for value, expected in zip(found, explained(whole.session()), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)


def test_a_session_keeps_the_weights_of_an_artifact_that_was_not_saved() -> None:
    artifact = fgcompile.compile(nn.Sequential(nn.Linear(20, 40)).eval(), X, external_data=True)
    folder = artifact.folder
    session = artifact.session()
    del artifact
    gc.collect()
    assert folder is not None
    assert folder.exists()
    del session
    gc.collect()
    assert not folder.exists()


def test_it_is_timed_and_inspected(path: Path) -> None:
    assert bench(path, repeats=3).forward is not None
    shown = CliRunner().invoke(app, ["inspect", str(path)])
    assert "net.onnx.data, sha256:" in " ".join(shown.stdout.split())
    said = json.loads(CliRunner().invoke(app, ["inspect", str(path), "--json"]).stdout)
    assert said["data"]["file"] == "net.onnx.data"


def test_triton_gets_both_files(path: Path, whole: fgcompile.Artifact, tmp_path: Path) -> None:
    (version,) = write_models([path], tmp_path / "models", Deployment())
    assert sorted(file.name for file in version.iterdir()) == ["model.onnx", "net.onnx.data"]
    assert_same(fgcompile.load(version / "model.onnx"), whole)


def refusal(path: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        fgcompile.load(path)
    return str(caught.value)


def test_a_missing_file_of_weights_is_named(path: Path) -> None:
    (path.parent / "net.onnx.data").unlink()
    assert refusal(path).endswith("its weights are not beside it: copy 'net.onnx.data' into the same folder")


@pytest.mark.parametrize("change", ["flip", "cut", "longer"])
def test_damaged_weights_are_refused(change: str, path: Path) -> None:
    data = path.parent / "net.onnx.data"
    content = bytearray(data.read_bytes())
    if change == "flip":
        content[len(content) // 2] ^= 1
    data.write_bytes({"flip": content, "cut": content[:-1], "longer": content + b"\0"}[change])
    assert "'net.onnx.data' beside it is damaged, or holds the weights of another artifact" in refusal(path)


def test_the_weights_of_another_are_refused(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    fgcompile.compile(network(1), X, external_data=True).save(other)
    Path(f"{other}.data").replace(f"{path}.data")
    assert "holds the weights of another artifact" in refusal(path)


@pytest.mark.parametrize("place", ["../net.onnx.data", "sub/net.onnx.data", "/etc/net.data", "C:\\net.data", "net.py"])
def test_weights_anywhere_else_are_refused(place: str, pair: fgcompile.Artifact, path: Path) -> None:
    assert pair.pair is not None
    for folder in ("sub", "."):
        (path.parent / folder).mkdir(exist_ok=True)
    body = relocated(pair.pair.body, place) + seal.data_entry(pair.pair.digest)
    path.write_bytes(seal.seal_onnx(body))
    assert "and not in one file beside it" in refusal(path)


def test_weights_without_a_digest_are_refused(pair: fgcompile.Artifact, path: Path) -> None:
    assert pair.pair is not None
    path.write_bytes(seal.seal_onnx(relocated(pair.pair.body, "net.onnx.data")))
    assert "a tensor of it lies in another file, which the seal does not cover" in refusal(path)


def test_bytes_alone_are_refused(path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"lie in a file beside it, 'net.onnx.data', .* give its path"):
        fgcompile.load(path.read_bytes())


def test_a_pair_is_replaced_as_one(path: Path, whole: fgcompile.Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    other = fgcompile.compile(network(1), X, external_data=True)
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target.suffix == ".onnx":
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match="No space left"):
        other.save(path)
    with pytest.raises(OutputError, match="No space left"):
        other.save(path.with_name("new.onnx"))
    monkeypatch.undo()
    assert sorted(file.name for file in path.parent.iterdir()) == ["net.onnx", "net.onnx.data"]
    assert_same(fgcompile.load(path), whole)
    other.save(path)
    assert_same(fgcompile.load(path), other)


def test_what_one_file_cannot_hold_lies_beside_it(monkeypatch: pytest.MonkeyPatch, whole: fgcompile.Artifact) -> None:
    monkeypatch.setattr(emit, "IN_MEMORY", 0)
    written = fgcompile.compile(network(), X)
    assert written.content == whole.content
    monkeypatch.setattr(compiled, "LARGEST", 1000)
    large = fgcompile.compile(network(), X)
    assert large.pair is not None
    assert_same(large.session(), whole)


def test_the_command_line_says_where_the_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside.py").write_text("from torch import nn\n\n\ndef net():\n    return nn.Linear(20, 40)\n")
    monkeypatch.chdir(tmp_path)
    command = ["compile", "beside:net", "--input", "20", "-o", "net.onnx", "--external-data"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "kB of weights in net.onnx.data" in " ".join(done.stdout.split())
    refused = CliRunner().invoke(app, [*command[:4], "-o", "net.pt", "--external-data"])
    assert isinstance(refused.exception, InputError)


def test_it_is_for_onnx() -> None:
    with pytest.raises(InputError, match="external_data is for ONNX"):
        fgcompile.compile(network(), X, format="torchscript", external_data=True)
