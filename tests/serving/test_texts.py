"""Names and messages that clients, or careless people, put into logs and metrics."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from fgcompile.errors import InputError
from fgcompile.serving.logs import OneLine
from fgcompile.serving.names import name_models
from fgcompile.serving.refusals import LONGEST, printable


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "\u202e", "\x00", "\u2028", "\x7f"])
def test_what_moves_a_cursor_is_escaped(text: str) -> None:
    record = logging.LogRecord("name", logging.INFO, "", 0, "said %s", (text,), None)
    line = OneLine("%(levelname)s %(message)s").format(record)
    assert line.isprintable()
    assert line.startswith("INFO said ")


def test_long_texts_are_cut() -> None:
    assert len(printable("a" * 10_000)) == LONGEST + 1
    assert printable("Löwe 猫") == "Löwe 猫"


@pytest.mark.parametrize("name", ["a\nb.onnx", "a\x1b.onnx"])
def test_files_whose_names_cannot_be_printed_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="rename the file") as caught:
        name_models([Path(name)])
    assert str(caught.value).isprintable()
