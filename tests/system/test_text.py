"""What other people's names look like."""

from __future__ import annotations

import pytest

from fgcompile.system.text import as_typed, brief, visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("tench, Löwe, 猫 🦁", "tench, Löwe, 猫 🦁"),
        ("two\nlines\r\tand\u2028more", r"two\nlines\r\tand\u2028more"),
        ("\x1b[2J\x07\x9b", r"\x1b[2J\x07\x9b"),
        ("a\u202egnp.exe", r"a\u202egnp.exe"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), r"caf\udce9"),
    ],
)
def test_one_line_without_control_characters(text: str, seen: str) -> None:
    assert visible(text) == seen


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("https:/a.b/c.jpg", "https://a.b/c.jpg"),
        ("cannot read s3:/bucket/x: no such file", "cannot read s3://bucket/x: no such file"),
        ("https://a.b/c", "https://a.b/c"),
        ("C:/photos/a.jpg", "C:/photos/a.jpg"),
        ("photos/a.jpg: /tmp", "photos/a.jpg: /tmp"),
    ],
)
def test_addresses_have_both_their_slashes(path: str, typed: str) -> None:
    assert as_typed(path) == typed


def test_names_are_cut_between_letters() -> None:
    assert brief("é" * 9, 5) == "éé"
    assert brief("photo", 200) == "photo"
