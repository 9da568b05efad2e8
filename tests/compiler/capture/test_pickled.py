"""What torch.save wrote is told from a model by looking at its pickle, and never unpickled."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fgcompile.compiler.sources import read_source
from fgcompile.errors import SourceError
from tests.support.networks import ConvNet

NET = nn.Sequential(nn.Linear(4, 3))


class Trap:
    """Unpickling it fails the test."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("it was unpickled",)


SAVED: dict[str, tuple[Any, str]] = {
    "a module": (NET, r"pickled module, torch\.nn\.modules\.container\.Sequential, .*as mynet:Net"),
    "one of a package": (ConvNet(), r"pickled module, tests\.support\.networks\.ConvNet, .*as tests.support.networks:"),
    "one within a checkpoint": ({"epoch": 3, "model": NET}, r"pickled module, torch\.nn"),
    "one with a trap": ({"a": Trap(), "model": NET}, "pickled module"),
    "a state dict": (NET.state_dict(), r"a state dict or checkpoint .* --weights .*saved\.pt"),
    "a checkpoint": ({"epoch": 3, "model": NET.state_dict()}, "a state dict or checkpoint"),
    "a checkpoint with a trap": ({"a": Trap(), "model": NET.state_dict()}, "a state dict or checkpoint"),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("saved", "message"), SAVED.values(), ids=SAVED)
def test_what_torch_save_wrote_is_named(saved: Any, message: str, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "saved.pt"
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(SourceError, match=message) as caught:
        read_source(path)
    assert "miniz" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".pt2", ".pth"])
def test_whatever_it_is_called(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"saved{suffix}"
    torch.save(NET.state_dict(), path)
    with pytest.raises(SourceError, match="a state dict or checkpoint"):
        read_source(path)


def test_other_files_are_what_they_were(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    for content in (b"", b"hello", b"PK\x03\x04", pickle.dumps([1, 2])):
        path.write_bytes(content)
        with pytest.raises(SourceError, match="cannot be read as TorchScript"):
            read_source(path)
    torch.export.save(torch.export.export(NET, (torch.zeros(2, 4),)), tmp_path / "program.pt2")
    (tmp_path / "program.pt2").rename(path)
    with pytest.raises(SourceError, match=r"file not found\): give .* whose name ends in \.pt2"):
        read_source(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02X\xff\xff\xff\x7fa.")
    with pytest.raises(SourceError, match="cannot be read as TorchScript"):
        read_source(path)
