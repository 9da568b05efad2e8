"""The fuzzer of picture files: every kind is what it says, and each case is the same every time."""

from __future__ import annotations

from importlib.util import find_spec
from random import Random

import pytest
from PIL import Image, features

from benchmarks.pictures.__main__ import _table_row
from benchmarks.pictures.kinds import KINDS, Kind
from benchmarks.pictures.mutations import MUTATIONS, mutate
from benchmarks.pictures.worker import case

QUICK = [kind for kind in KINDS if "million" not in kind.name]


@pytest.mark.parametrize("kind", QUICK, ids=[kind.name for kind in QUICK])
def test_each_kind_is_read_as_it_was_written_or_refused(kind: Kind) -> None:
    if kind.name.startswith("DICOM") and find_spec("pydicom") is None:
        pytest.skip("needs the extra dicom")
    if kind.name == "AVIF" and not (Image.init(), features.check("avif"))[1]:
        pytest.skip("needs a Pillow with AVIF")
    assert "WRONG" not in _table_row(kind)[1]


def test_every_kind_meets_every_mutation() -> None:
    cases = {case(0, number) for number in range(len(KINDS) * len(MUTATIONS))}
    assert len(cases) == len(KINDS) * len(MUTATIONS)


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_case_is_the_same_every_time(name: str) -> None:
    contents = [b"first" * 90, b"second" * 90]
    assert mutate(name, contents, 0, Random("0/1")) == mutate(name, contents, 0, Random("0/1"))
    assert mutate(name, [b"x"], 0, Random(0)) is not None
