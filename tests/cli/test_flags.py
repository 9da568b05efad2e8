"""What messages of the library advise can be typed on the command line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fgcompile
from fgcompile.cli.flags import as_options


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("or rules='libragrad'", "or --rules libragrad"),
        ("name the one explained, output= one of ['a', 'b']", "name the one explained, --explained one of ['a', 'b']"),
        ("name another output, output=", "name another output, --explained"),
        ("pass target=score, a function", "pass --target package.module:function, a function"),
        (
            "numbers; to name them give labels, a name for each class in order",
            "numbers; to name them give --labels FILE, a name a line",
        ),
        ("give a class as a whole number, or give labels", "give a class as a whole number, or give --labels"),
        ("explain it itself by target=Value(), of fgcompile.scores, or", "explain it itself by --target Value, or"),
        ("which target='predicted' chooses", "which --target predicted chooses"),
        ("which target=None takes at run time", "which target=None takes at run time"),
        ("leave out dynamic_sizes, or", "leave out --dynamic-sizes, or"),
        ("for one sample a call, batch=1", "for one sample a call, --batch 1"),
        ("by layouts={'x': 'n h w c'}", "by --layout x='n h w c'"),
        ("on_demand=True and outputs=('logits', 'saliency'): ask", "--on-demand and --outputs logits,saliency: ask"),
        ("white, window=(-9.5, HIGH) of fgcompile.read_photos", "white, --window=-9.5,HIGH"),
        (
            "e.g. window=(0, 4095) of fgcompile.read_photos, or window=(0, 65535) if",
            "e.g. --window 0,4095, or --window 0,65535 if",
        ),
        ("or raise max_pixels of fgcompile.read_photos if", "or raise --max-pixels if"),
        ("give page= from 1 to 2", "give --page from 1 to 2"),
        ("leave out page=3", "leave out --page 3"),
        ("fit it by fit='letterbox'", "fit it by --fit letterbox"),
        ("or give trust=True, if", "or give --trust, if"),
        ("is code, and trust is False", "is code, and trust is False"),
        ("give a score, target=Box.yolov8(), of fgcompile.scores", "give a score, --target Box.yolov8"),
        ("compile it with one, tokenizer=PATH", "compile it with one, --tokenizer PATH"),
        ("or give target=(token, class)", "or give --target WORD,CLASS"),
        ("session.explain takes arrays", "session.explain in Python takes arrays"),
        ("it with preprocess=Preprocess(mean, std), the", "it with --mean and --std, the"),
        ("a file, --dynamic-sizes is as it was", "a file, --dynamic-sizes is as it was"),
    ],
)
def test_keywords_are_flags(message: str, typed: str) -> None:
    assert as_options(message) == typed


def _texts(tree: ast.AST) -> Iterator[str]:
    """The texts of a module, without its docstrings."""
    words = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in words:
            yield node.value


@pytest.mark.parametrize("room", ["artifact", "drawing", "pictures", "runtime", "text"])
def test_what_python_reaches_speaks_of_keywords(room: str) -> None:
    """The command line makes its options of them."""
    for path in (Path(fgcompile.__file__).parent / room).rglob("*.py"):
        found = [text for text in _texts(ast.parse(path.read_text())) if re.search(r"(?<![\w-])--[a-z][a-z-]", text)]
        assert not found, f"{path}: {found}"
