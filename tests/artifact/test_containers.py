"""What may be in an archive or a model, and that suffix, container and metadata name one format."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path

import onnx
import pytest

import fgcompile
from fgcompile.artifact.file import read_artifact
from fgcompile.artifact.metadata import dumps
from fgcompile.artifact.names import METADATA_FILE, METADATA_KEY
from fgcompile.artifact.onnx_container import external_paths
from fgcompile.artifact.protobuf import fields
from fgcompile.artifact.seal import seal_onnx, seal_zip
from fgcompile.artifact.trust import require_trust
from fgcompile.errors import ArtifactError
from tests.support.tiny_artifacts import onnx_artifact, onnx_body, tiny_metadata, torchscript_artifact, torchscript_body


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        read_artifact(path)
    assert str(caught.value).isprintable()
    return str(caught.value)


def archive(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A sealed archive that has what a TorchScript artifact has, and these entries."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as written:
        written.writestr("model/constants.pkl", b"x")
        written.writestr(f"model/extra/{METADATA_FILE}", dumps(tiny_metadata("torchscript")))
        for name, content in entries:
            written.writestr(name, content)
    return seal_zip(target.getvalue())


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("model/link")
    entry.external_attr = 0o120777 << 16
    return entry


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../outside", "could lie anywhere"),
        ("model/../../outside", "could lie anywhere"),
        ("/tmp/outside", "could lie anywhere"),
        ("model\\outside", "could lie anywhere"),
        ("C:/outside", "could lie anywhere"),
        ("model/a\x1b[2J", "could lie anywhere"),
        ("model/folder/", "could lie anywhere"),
        ("other/file", "outside its folder"),
        ("model/constants.PKL", "two files of one name"),
        ("model/data/aotinductor/model/x.so", "neither TorchScript's nor a .pt2"),
        (link(), "no file but a link"),
    ],
)
def test_an_archive_with_a_file_that_no_artifact_has_is_refused(
    name: str | zipfile.ZipInfo, message: str, tmp_path: Path
) -> None:
    assert message in refused(tmp_path / "a.pt", archive((name, b"x")))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_no_artifact_has_is_refused(method: int, tmp_path: Path) -> None:
    assert "unknown compression" in refused(tmp_path / "a.pt", archive(method=method))


def test_an_archive_that_expands_beyond_measure_is_refused(tmp_path: Path) -> None:
    content = archive(("model/bomb", bytes(80 * 2**20)), method=zipfile.ZIP_DEFLATED)
    assert len(content) < 2**20
    assert "expands to" in refused(tmp_path / "a.pt", content)


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    content = bytearray(archive(("model/secret", b"x"))[:-73])
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.rindex(signature) + offset
        struct.pack_into("<H", content, place, 1)
    assert "encrypted" in refused(tmp_path / "a.pt", seal_zip(bytes(content) + b"\0\0"))


def test_bytes_in_front_of_an_archive_are_no_part_of_it(tmp_path: Path) -> None:
    body = b"#!/bin/sh\n" + torchscript_body()
    assert "no readable metadata" in refused(tmp_path / "a.pt", seal_zip(body))


def test_an_onnx_artifact_with_weights_elsewhere_is_refused(tmp_path: Path) -> None:
    model = onnx.load_from_string(onnx_body())
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    content = model.SerializeToString()
    assert external_paths(content) == ["../../etc/passwd"]
    assert "lies in another file" in refused(tmp_path / "a.onnx", seal_onnx(content))
    assert external_paths(onnx_body()) == []


def test_metadata_that_stand_there_twice_are_refused(tmp_path: Path) -> None:
    model = onnx.load_from_string(onnx_body())
    model.metadata_props.add(key=METADATA_KEY, value="{}")
    assert "2 metadata_props entries" in refused(tmp_path / "a.onnx", seal_onnx(model.SerializeToString()))


def test_an_integer_of_protobuf_has_ten_bytes_at_most() -> None:
    with pytest.raises(ValueError, match="neither"):
        list(fields(memoryview(b"\x08" + b"\xff" * 2**20)))
    assert list(fields(memoryview(b"\x08" + b"\xff" * 9 + b"\x01"))) == []


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        ("model.onnx", "torchscript", "is torchscript, and its name says onnx"),
        ("model.pt2", "torchscript", "is torchscript, and its name says pt2"),
        ("model.pt", "onnx", "is onnx, and its name says torchscript"),
        ("MODEL.ONNX", "torchscript", "its name says onnx"),
    ],
)
def test_a_suffix_of_another_format_is_refused_before_anything_is_loaded(
    name: str, format: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(onnx_artifact() if format == "onnx" else torchscript_artifact())
    (tmp_path / "link.onnx").symlink_to(tmp_path / name)
    for trust in (None, True):
        with pytest.raises(ArtifactError, match=message):
            fgcompile.load(tmp_path / name, trust=trust)
    if format != "onnx":
        with pytest.raises(ArtifactError, match="its name says onnx"):
            fgcompile.load(tmp_path / "link.onnx")


def test_metadata_of_another_format_than_the_container_are_refused(tmp_path: Path) -> None:
    content = onnx_artifact(tiny_metadata("torchscript"))
    assert "its metadata say torchscript, its content is onnx" in refused(tmp_path / "model", content)


def test_code_is_loaded_by_the_word_of_its_name_or_of_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(torchscript_artifact())
    with pytest.raises(ArtifactError, match=r"code that loading runs, and its name does not say so: end it in \.pt"):
        fgcompile.load(path)
    assert fgcompile.load(path, trust=True).metadata["format"] == "torchscript"
    named = path.rename(tmp_path / "model.pt")
    assert fgcompile.load(named).metadata["format"] == "torchscript"
    with pytest.raises(ArtifactError, match="which is code, and trust is False"):
        fgcompile.load(named, trust=False)
    require_trust("anything", "onnx", trust=False)


def test_a_pipe_a_device_and_a_loop_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "loop.onnx").symlink_to("loop.onnx")
    for name in ("pipe.onnx", "loop.onnx", "/dev/zero", "\0"):
        with pytest.raises(ArtifactError, match="cannot be read"):
            read_artifact(tmp_path / name)
