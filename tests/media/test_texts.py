"""The texts that ``fgcompile explain`` is given, and files of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fgcompile.errors import InputError
from fgcompile.media.texts import read_texts


def test_texts_and_files_of_them(tmp_path: Path) -> None:
    path = tmp_path / "more.txt"
    path.write_bytes("\ufefffirst\r\n\nzweiter ß\n".encode())
    other = tmp_path / "list"
    other.write_text("a\tb\n")
    assert read_texts(["one", str(path)], [other]) == ["one", "first", "zweiter ß", "a\tb"]
    assert read_texts([], [other], pairs=True) == [("a", "b")]
    for call, message in (
        (lambda: read_texts([]), "no texts"),
        (lambda: read_texts(["a b"], pairs=True), "'a b' is no pair"),
        (lambda: read_texts([str(tmp_path / "none.txt")]), "cannot be read as texts"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        read_texts([str(path)])
