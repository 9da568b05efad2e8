"""The machine says what it is."""

from __future__ import annotations

import os

from fgcompile.system.machine import cores, peak_memory, processor


def test_the_processor_has_a_name_and_cores() -> None:
    assert processor()
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_peak_memory_is_in_bytes_and_never_falls() -> None:
    before, after = peak_memory(), peak_memory()
    if before is not None and after is not None:
        assert 10**7 < before <= after < 10**12
