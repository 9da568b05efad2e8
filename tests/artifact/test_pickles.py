"""Pickles that say they are longer than their file are refused, before anybody makes room for what they say."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import pytest

from fgcompile.artifact.pickles import check_pickles
from tests.support.tiny_artifacts import torchscript_artifact


def archive(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("a/constants.pkl", content)
        target.writestr("a/constants/0", b"no pickle")
    return buffer.getvalue()


def test_what_torch_wrote_passes() -> None:
    check_pickles(torchscript_artifact())
    check_pickles(archive(pickle.dumps({"a": [1, "b"], "c": b"d" * 300}, protocol=2)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02X" + struct.pack("<I", 1 << 31) + b"a.",
        b"\x80\x02]r" + struct.pack("<I", 1 << 30) + b".",
        b"\x80\x02j" + struct.pack("<I", 1 << 30) + b".",
        b"\x80\x02\xff.",
    ],
)
def test_what_is_not_whole_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_pickles(archive(content))
