"""What messages of the library advise can be typed on the command line."""

from __future__ import annotations

import pytest

from fgcompile.cli.flags import as_options


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("or rules='libragrad'", "or --rules libragrad"),
        ("name the one explained, output= one of ['a', 'b']", "name the one explained, --explained one of ['a', 'b']"),
        ("name another output, output=", "name another output, --explained"),
        ("pass target=score, a function", "pass --target package.module:function, a function"),
        ("explain it itself by target=Value(), of fgcompile.scores, or", "explain it itself by --target Value, or"),
        ("which target='predicted' chooses", "which --target predicted chooses"),
        ("which target=None takes at run time", "which target=None takes at run time"),
        ("leave out dynamic_sizes, or", "leave out --dynamic-sizes, or"),
        ("by layouts={'x': 'n h w c'}", "by --layout x='n h w c'"),
        ("on_demand=True and outputs=('logits', 'saliency'): ask", "--on-demand and --outputs logits,saliency: ask"),
        ("a file, --dynamic-sizes is as it was", "a file, --dynamic-sizes is as it was"),
    ],
)
def test_keywords_are_flags(message: str, typed: str) -> None:
    assert as_options(message) == typed
