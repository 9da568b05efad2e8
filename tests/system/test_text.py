"""What other people's names look like."""

from __future__ import annotations

import pytest

from fgcompile.system.text import brief, visible


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


def test_names_are_cut_between_letters() -> None:
    assert brief("é" * 9, 5) == "éé"
    assert brief("photo", 200) == "photo"
