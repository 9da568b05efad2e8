"""A ``.pt2`` source is read without running what its maker put into it."""

from __future__ import annotations

import io
import os
import re
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fgcompile.compiler.capture.exported_program import read_exported_program
from fgcompile.errors import SourceError


class Joined(nn.Module):
    """Its output has twice as many rows as an input: a size that is an expression."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cat([x, y]) * self.weight + torch.tensor([1.0, 2.0, 3.0])


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("programs") / "model.pt2"
    rows = {0: torch.export.Dim("rows", min=2, max=100)}
    x = torch.ones(4, 3)
    torch.export.save(torch.export.export(Joined(), (x, x), dynamic_shapes=(rows, rows)), path)
    assert read_exported_program(path).module()(x, x).shape == (8, 3)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(files: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "size", ["__import__('os').mkdir('{}')", "Symbol('s1').__class__", "S('1')", "eval(input())", "[0]"]
)
def test_a_size_that_is_code_is_not_evaluated(size: str, saved: dict[str, bytes], tmp_path: Path) -> None:
    size = size.format(tmp_path / "made")
    changed = {
        name: re.sub(rb'("expr_str": ?)"[^"]*"', lambda found: found[1] + f'"{size}"'.encode(), content)
        for name, content in saved.items()
    }
    assert changed != saved
    with pytest.raises(SourceError, match="has a size that is no expression"):
        read_exported_program(written(changed, tmp_path / "model.pt2"))
    assert not (tmp_path / "made").exists()


def test_an_object_that_is_no_tensor_is_not_unpickled(saved: dict[str, bytes], tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(Touch(tmp_path / "made"), buffer)
    before = dict(os.environ)
    for part in ("sample_inputs", "data/constants/tensor_0", "data/weights/weight_0"):
        name = next(name for name in saved if part in name)
        pickled = {
            key: content.replace(b'"use_pickle": false', b'"use_pickle": true') for key, content in saved.items()
        }
        with pytest.raises(SourceError, match="cannot be read as an exported program"):
            read_exported_program(written({**pickled, name: buffer.getvalue()}, tmp_path / "model.pt2"))
    assert not (tmp_path / "made").exists()
    assert dict(os.environ) == before


def test_a_script_object_is_not_unpickled(saved: dict[str, bytes], tmp_path: Path) -> None:
    renamed = {name: content.replace(b'"tensor_0"', b'"custom_obj_0"') for name, content in saved.items()}
    with pytest.raises(SourceError, match="names an object that is no tensor"):
        read_exported_program(written(renamed, tmp_path / "model.pt2"))


def test_an_archive_that_would_leave_its_folder_and_a_pipe_are_refused(saved: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="could lie anywhere"):
        read_exported_program(written({**saved, "../outside": b""}, tmp_path / "model.pt2"))
    os.mkfifo(tmp_path / "pipe.pt2")
    with pytest.raises(SourceError, match="a pipe or a device"):
        read_exported_program(tmp_path / "pipe.pt2")
