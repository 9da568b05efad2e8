"""What is silenced is one thread's: another prints as ever."""

from __future__ import annotations

import logging
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from fgcompile.compiler.ir.silence import silenced, unprinted


def test_only_the_other_threads_print(capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(1) as other, unprinted("stderr"), unprinted("stdout"):
        print("ours", flush=True)
        print("ours", file=sys.stderr)
        other.submit(print, "another's").result()
        other.submit(lambda: print("another's", file=sys.stderr)).result()
    print("afterwards")
    assert capsys.readouterr() == ("another's\nafterwards\n", "another's\n")


def test_streams_are_put_back_after_an_error() -> None:
    before = sys.stdout
    with pytest.raises(ValueError, match="as it happens"), unprinted("stdout"):
        raise ValueError("as it happens")
    assert sys.stdout is before


def test_exporters_are_not_heard(
    capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    below = logging.getLogger("torch.onnx.of_a_part")
    with silenced("torch.onnx"):
        print("progress")
        below.warning("of what the exporter left out")
        warnings.warn("not the user's to change", stacklevel=1)
    assert capsys.readouterr().out == ""
    assert not recwarn
    assert not caplog.records
    below.warning("heard again")
    assert len(caplog.records) == 1
