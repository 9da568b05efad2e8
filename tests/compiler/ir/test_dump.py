"""``FGCOMPILE_DUMP``: a numbered file for each stage and pass, a folder for each compile, and nothing without it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.compiler.ir.dump import VARIABLE, dump, dumping
from fgcompile.compiler.passes.optimize.optimize import PASSES
from fgcompile.errors import OutputError


def unwanted() -> str:
    raise AssertionError("no text is made that nobody wants")


def test_every_stage_and_pass_of_a_compile_is_written_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "graphs"))
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval(), torch.ones(2, 3)
    fgcompile.compile(model, x, outputs=("logits", "contributions"), rules="libragrad")
    names = sorted(path.name for path in (tmp_path / "graphs" / "1-Sequential").iterdir())
    stages = [
        "captured",
        "convert_floats",
        "linearize",
        "exposed",
        "fold_padding",
        "fold_batch_norm",
        "fold_layer_scale",
        "nest_concatenations",
        "differentiated",
    ]
    stages += [each.name for each in PASSES]
    stages += [
        "convert_floats",
        "spell_out",
        "translated",
        "simplify",
        "scale_channels",
        "share_weights",
        "masks_first",
    ]
    assert names == [f"{number:03d}-{stage}.txt" for number, stage in enumerate(stages)]
    captured = (tmp_path / "graphs" / "1-Sequential" / "000-captured.txt").read_text()
    assert "aten.linear.default(input_1, constant_0_weight, constant_0_bias)  # 0" in captured
    assert captured.splitlines()[-1] == "return (linear_1,)"
    simplified = tmp_path / "graphs" / "1-Sequential" / f"{stages.index('simplify'):03d}-simplify.txt"
    assert "Relu" in simplified.read_text(encoding="utf-8")


def test_each_compile_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "notes").mkdir()
    for name in ("Net", "Net", "Other"):
        with dumping(name):
            dump("captured", lambda name=name: f"of {name}")
            dump("exposed", lambda: "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-Net", "2-Net", "3-Other", "notes"]
    assert sorted(path.name for path in (tmp_path / "2-Net").iterdir()) == ["000-captured.txt", "001-exposed.txt"]
    assert (tmp_path / "3-Other" / "000-captured.txt").read_text() == "of Other"


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_is_made_where_it_is_not_asked_for(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    with dumping("Net"):
        dump("captured", unwanted)


def test_outside_of_a_compile_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    dump("captured", unwanted)
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    with pytest.raises(OutputError, match="is a file: name a folder"), dumping("Net"):
        pass
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file" / "below"))
    with pytest.raises(OutputError, match="cannot be written to"), dumping("Net"):
        pass


@pytest.mark.parametrize("name", ["../../up", "a/b<c> \n☃", "x" * 300, "", "."])
def test_a_class_may_be_called_what_no_file_can(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "graphs"))
    with dumping(name):
        dump("captured", lambda: "graph")
    (written,) = tmp_path.rglob("*.txt")
    assert written.parent.parent == tmp_path / "graphs"


def test_the_home_folder_may_be_named_by_its_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "~/graphs")
    with dumping("Net"):
        dump("captured", lambda: "graph")
    assert (tmp_path / "graphs" / "1-Net" / "000-captured.txt").is_file()
