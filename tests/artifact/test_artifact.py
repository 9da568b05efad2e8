"""The seal refuses every change, the metadata survive a round trip, and files are written whole or not at all."""

import io
import os
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from fgcompile.artifact.file import check_seal, read_artifact, read_metadata
from fgcompile.artifact.metadata import dumps, loads
from fgcompile.artifact.names import METADATA_FILE, METADATA_KEY
from fgcompile.artifact.seal import seal_onnx, seal_zip
from fgcompile.errors import ArtifactError, OutputError
from fgcompile.system.files import write_atomically
from tests.support.tiny_artifacts import onnx_artifact, onnx_body, tiny_metadata, torchscript_artifact, torchscript_body

FORMATS = ("onnx", "torchscript")


@cache
def artifact(format: str) -> bytes:
    return onnx_artifact() if format == "onnx" else torchscript_artifact()


def refused(content: bytes, tmp_path: Path) -> str:
    """The one-line message with which a file of this content is refused."""
    path = tmp_path / "artifact"
    path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        read_artifact(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def flip(content: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 1 << bit
    return bytes(changed)


# The containers still are what they were


def test_a_sealed_onnx_model_is_a_valid_onnx_model():
    content = artifact("onnx")
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties == {METADATA_KEY: dumps(tiny_metadata()), "fgcompile.digest": content[-71:].decode()}
    assert model.SerializeToString(deterministic=True) == content
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map == properties


def test_a_sealed_torchscript_archive_loads_with_its_extra_file(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(artifact("torchscript"))
    extra = {METADATA_FILE: ""}
    module = torch.jit.load(path, _extra_files=extra)
    assert extra[METADATA_FILE] == dumps(tiny_metadata("torchscript")).encode()
    assert module(torch.ones(2, 3, 4, 4), torch.tensor([-1, 0]))[1].shape == (2, 1, 4, 4)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.comment == artifact("torchscript")[-71:]


@pytest.mark.parametrize("body", [b"", b"PK\x05\x06", torchscript_artifact()], ids=["empty", "short", "sealed"])
def test_seal_zip_takes_an_archive_without_a_comment(body):
    with pytest.raises(ValueError, match="without a comment"):
        seal_zip(body)


# The seal


@pytest.mark.parametrize("format", FORMATS)
def test_a_whole_artifact_passes(format, tmp_path):
    path = tmp_path / "artifact"
    path.write_bytes(artifact(format))
    content, metadata = read_artifact(path)
    assert content == artifact(format)
    assert metadata == read_metadata(path) == tiny_metadata(format)
    check_seal(memoryview(content), path)


@pytest.mark.parametrize("format", FORMATS)
def test_a_flipped_bit_anywhere_is_refused(format):
    content = artifact(format)
    random = np.random.default_rng(0)
    metadata = content.index(b'"completeness"')
    regions = {
        *range(16),
        *range(metadata, metadata + 16),
        *range(len(content) // 2, len(content) // 2 + 16),
        *range(len(content) - 71 - 32, len(content)),
        *random.integers(len(content), size=300).tolist(),
    }
    for position in regions:
        for bit in range(8) if position >= len(content) - 71 else random.integers(8, size=1).tolist():
            with pytest.raises(ArtifactError):
                check_seal(flip(content, position, bit), "artifact")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("count", [1, 2, 70, 71, 72, 100, 500])
def test_missing_and_added_bytes_are_refused(format, count):
    content = artifact(format)
    middle = len(content) // 2
    for changed in (
        content[:-count],
        content[count:],
        content[:middle] + content[middle + count :],
        content + b"\0" * count,
        content + b"\n" * count,
        b"\0" * count + content,
    ):
        with pytest.raises(ArtifactError):
            check_seal(changed, "artifact")


@pytest.mark.parametrize("format", FORMATS)
def test_messages_tell_damage_from_truncation_from_a_foreign_file(format, tmp_path):
    content = artifact(format)
    assert "is damaged" in refused(flip(content, 100, 3), tmp_path)
    assert "is damaged" in refused(flip(content, len(content) - 1, 0), tmp_path)
    assert "is truncated or was changed" in refused(content[:-1], tmp_path)
    assert "is truncated or was changed" in refused(content + b"\n", tmp_path)
    assert "is truncated or was changed" in refused(onnx_body() if format == "onnx" else torchscript_body(), tmp_path)


def test_the_first_half_of_an_onnx_artifact_is_called_truncated(tmp_path):
    # its producer_name, near the start, gives it away
    assert "is truncated or was changed" in refused(artifact("onnx")[:200], tmp_path)


def test_a_model_that_only_mentions_us_was_no_artifact(tmp_path):
    model = onnx.load_from_string(plain_onnx())
    model.graph.node[0].doc_string = "/home/jane/fgcompile/net.py"
    assert "is not an fgcompile artifact" in refused(model.SerializeToString(), tmp_path)


def plain_onnx() -> bytes:
    text = '<ir_version: 10, opset_import: ["" : 18]> plain (float[1] x) => (float[1] y) { y = Abs (x) }'
    return onnx.parser.parse_model(text).SerializeToString()


def plain_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"data")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [plain_onnx(), plain_zip(), np.random.default_rng(1).bytes(4096), b"x", b"sha256:"],
    ids=["onnx", "zip", "random", "one byte", "text"],
)
def test_a_file_that_is_not_ours_is_refused(content, tmp_path):
    assert "is not an fgcompile artifact" in refused(content, tmp_path)


@pytest.mark.parametrize(
    "content",
    [seal_onnx(plain_onnx()), seal_zip(plain_zip()), seal_onnx(b"\x0f"), seal_onnx(b"\x7a\xff"), seal_onnx(b"\x78")],
    ids=["onnx", "zip", "wire type", "length", "varint"],
)
def test_a_seal_without_metadata_is_refused(content, tmp_path):
    assert "no readable metadata" in refused(content, tmp_path)


def test_an_empty_file_is_refused(tmp_path):
    assert "is empty" in refused(b"", tmp_path)


def test_a_folder_and_a_missing_path_are_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"cannot be read \(Is a directory\)"):
        read_metadata(tmp_path)
    with pytest.raises(ArtifactError, match=r"cannot be read \(No such file or directory\)"):
        read_metadata(tmp_path / "missing.onnx")


# Metadata


def test_metadata_are_canonical_json():
    metadata = tiny_metadata()
    text = dumps(metadata)
    assert text.isascii()
    assert ": " not in text
    assert dumps(dict(reversed(metadata.items()))) == text
    assert loads(text, "artifact") == metadata
    with pytest.raises(ValueError, match="JSON"):
        dumps(tiny_metadata(completeness=float("nan")))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (dumps(tiny_metadata(schema=2)), "made by a newer fgcompile (schema 2, this reads up to 1): upgrade"),
        (dumps({"schema": 7}), "made by a newer fgcompile (schema 7, this reads up to 1): upgrade"),
        (dumps({"schema": 1, "format": "onnx"}), "its metadata lack completeness, inputs, labels"),
        (dumps(tiny_metadata(schema="1")), "name no schema"),
        (dumps(tiny_metadata(schema=True)), "name no schema"),
        (dumps(tiny_metadata(schema=0)), "name no schema"),
        (dumps(tiny_metadata(inputs=[{"name": "x"}])), "inputs[0] lacks dtype, shape"),
        (dumps(tiny_metadata(outputs=None)), "outputs is no list of 1 to"),
        ("[]", "name no schema"),
        ("{", "not JSON"),
    ],
)
def test_metadata_of_another_schema_or_shape_are_refused(format, text, message, tmp_path):
    assert message in refused(onnx_artifact(text) if format == "onnx" else torchscript_artifact(text), tmp_path)


def test_unknown_metadata_of_the_same_schema_are_kept():
    assert loads(dumps(tiny_metadata(added="later")), "artifact")["added"] == "later"


@pytest.mark.parametrize("format", FORMATS)
def test_metadata_are_read_without_torch_onnx_or_a_runtime(format, tmp_path):
    path = tmp_path / "artifact"
    path.write_bytes(artifact(format))
    script = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'onnxruntime', 'numpy'): sys.modules[name] = None\n"
        "from fgcompile.artifact.file import read_metadata\n"
        "print(read_metadata(sys.argv[1])['model']['name'])\n"
    )
    result = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("Tiny\n", "")


# Writing


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "artifact.onnx"
    write_atomically(path, b"first")
    write_atomically(str(path), b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["artifact.onnx"]
    other = tmp_path / "other"
    other.write_bytes(b"")
    assert path.stat().st_mode == other.stat().st_mode


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_atomically(tmp_path / "link", b"content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_path_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    for name, message in {
        "missing/artifact.onnx": "its folder does not exist: create it first",
        "file/artifact.onnx": "cannot be written (Not a directory): give another path",
        "folder": "cannot be written (Is a directory): give another path",
        "n" * 300: "cannot be written (File name too long): give another path",
    }.items():
        with pytest.raises(OutputError) as caught:
            write_atomically(tmp_path / name, b"new")
        assert str(caught.value) == f"{tmp_path / name}: {message}"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]
    with pytest.raises(OutputError, match="a device, not a file"):
        write_atomically(os.devnull, b"new")


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_alone(failing, error, tmp_path, monkeypatch):
    path = tmp_path / "artifact.onnx"
    path.write_bytes(b"old")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        write_atomically(path, b"new")
    monkeypatch.undo()
    if isinstance(error, OSError):
        assert str(caught.value) == f"{path}: cannot be written (No space left on device): give another path"
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["artifact.onnx"]


def test_onnx_writes_an_artifact_as_it_was(tmp_path: Path) -> None:
    """As MLflow does, which logs what ``onnx.load`` returned."""
    (tmp_path / "a.onnx").write_bytes(artifact("onnx"))
    onnx.save_model(onnx.load(tmp_path / "a.onnx"), tmp_path / "b.onnx", save_as_external_data=False)
    assert (tmp_path / "b.onnx").read_bytes() == artifact("onnx")
