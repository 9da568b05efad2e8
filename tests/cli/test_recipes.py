"""``fgcompile compile`` alone: the recipes of a TOML, and only those that changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from fgcompile.cli import app, making
from fgcompile.cli.building import Job
from fgcompile.cli.freshness import CACHE
from fgcompile.cli.recipe_kinds import require_kinds
from fgcompile.cli.recipes import Recipe, find_recipes
from fgcompile.cli.sources import import_callable
from fgcompile.errors import InputError
from tests.cli.results import Run, assert_one_line_error
from tests.support.tiny_artifacts import onnx_artifact

PROJECT = """
[project]
name = "x"

[tool.fgcompile]
input = "3x8x8"

[tool.fgcompile.small]
source = "recipe_nets:build?classes=2"
output = "small.onnx"

[tool.fgcompile.photo]
source = "recipe_nets:build"
output = "photo.onnx"
mean = [0.5, 0.4, 0.3]
std = [0.2, 0.2, 0.2]
labels = "names.txt"
on_demand = true
"""
NETS = """
from torch import nn
from recipe_parts import activation

def build(classes=3):
    return nn.Sequential(nn.Conv2d(3, classes, 1), activation(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "recipe_nets.py").write_text(NETS)
    (tmp_path / "recipe_parts.py").write_text("from torch.nn import ReLU as activation\n")
    (tmp_path / "names.txt").write_text("cat\ndog\neel\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("recipe_nets", "recipe_parts"):
        sys.modules.pop(name, None)


def made(run: Run, *options: str) -> dict[str, str | None]:
    """Which recipes were compiled, and why."""
    result = run("compile", "--json", *options)
    assert result.status == 0, result.err
    return {each["recipe"]: each["why"] for each in json.loads(result.out) if each["made"]}


@pytest.mark.whole
def test_recipes_are_compiled_with_their_options(run: Run, project: Path) -> None:
    assert made(run, "--recipe", "photo") == {"photo": "it was not made yet"}
    inspected = json.loads(run("inspect", "photo.onnx", "--json").out)
    assert inspected["labels"] == ["cat", "dog", "eel"]
    assert inspected["preprocess"]["mean"] == [0.5, 0.4, 0.3]
    assert inspected["on_demand"]
    assert made(run, "--recipe", "photo") == {}


def test_only_what_changed_is_made_again(run: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(job: Job, report: Callable[[str], None]) -> None:
        import_callable(f"{job.source.scheme}:build")
        job.output.write_bytes(onnx_artifact())

    monkeypatch.setattr(making, "build", build)
    assert made(run) == {"small": "it was not made yet", "photo": "it was not made yet"}
    assert made(run) == {}
    (project / "names.txt").write_text("cat\ndog\nant\n")
    assert made(run) == {"photo": "names.txt changed"}
    (project / "small.onnx").unlink()
    assert made(run) == {"small": "small.onnx is gone"}
    (project / "recipe_parts.py").write_text(
        "from torch.nn import GELU as activation\n"
    )  # which another module imports
    assert made(run, "--recipe", "small") == {"small": "recipe_parts.py changed"}
    (project / "pyproject.toml").write_text(PROJECT.replace("classes=2", "classes=4"))
    assert made(run) == {"small": "its options changed", "photo": "recipe_parts.py changed"}
    assert made(run, "--force", "--recipe", "small") == {"small": "it was asked for"}
    entry = json.loads((project / CACHE).read_text())
    assert set(entry["small"]["files"]) == {"recipe_nets.py", "recipe_parts.py"}
    assert set(entry["photo"]["files"]) == {"recipe_nets.py", "recipe_parts.py", "names.txt"}
    entry["small"]["versions"]["torch"] = "1.0"
    (project / CACHE).write_text(json.dumps(entry))
    assert made(run) == {"small": "other versions: torch"}
    (project / "photo.onnx").write_bytes(b"other")
    shown = run("compile")
    assert "small: small.onnx is as it was" in shown.out
    assert "photo: photo.onnx changed: compiling" in shown.out
    (project / CACHE).write_text("damaged")
    assert set(made(run)) == {"small", "photo"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('output = "small.onnx"', "", "recipe small: output: missing"),
        ('output = "small.onnx"', 'output = "photo.onnx"', "recipes small and photo both write photo.onnx"),
        ('input = "3x8x8"', 'inputs = "3x8x8"', "recipe small: No such option: --inputs"),
        ('input = "3x8x8"', 'input = "3xx8"', "recipe small: --input 3xx8"),
        ('input = "3x8x8"', "input = {x = 3}", "recipe input: source and output: missing"),
        ("on_demand = true", "on_demand = [[1]]", "recipe photo: --on-demand is [[1]]: give true or false"),
        ("on_demand = true", 'on_demand = "yes"', "recipe photo: --on-demand is 'yes': give true or false"),
        ("on_demand = true", "on-demand = 1", "recipe photo: on-demand is 1: give true or false"),
        ("on_demand = true", "rules = true", "recipe photo: rules is true: give a text"),
        ('labels = "names.txt"', "weights = 3", "recipe photo: weights is 3: give a text"),
        (
            'labels = "names.txt"',
            'labels = ["a", "b"]',
            "labels is ['a', 'b']: give one value, not a list",
        ),
        ('labels = "names.txt"', "labels = 2020-01-01", "recipe photo: labels is 2020-01-01: give a text"),
        ('labels = "names.txt"', 'batch = "x"', "recipe photo: batch is 'x': give a whole number"),
        ('labels = "names.txt"', "batch = 1.5", "recipe photo: batch is 1.5: give a whole number"),
        ('labels = "names.txt"', "target = 1.5", "recipe photo: target is 1.5: give a text or a whole number"),
        ('labels = "names.txt"', "target = [1, 2]", "recipe photo: target is [1, 2]: give one value"),
        (
            'labels = "names.txt"',
            'layout = {x = "n c"}',
            "layout is {'x': 'n c'}: give a text, or a list",
        ),
        (
            "mean = [0.5, 0.4, 0.3]",
            "mean = [0.5, true, 0.3]",
            "mean is [0.5, true, 0.3]: give a text or a",
        ),
        ('labels = "names.txt"', "force = true", "recipe photo: force is an option of the command"),
        ('output = "small.onnx"', "output = 4", "recipe small: output is 4: give a text"),
        ('source = "recipe_nets:build"', "source = 3", "recipe photo: source is 3: give a text"),
        ("on_demand = true", 'rules = "magic"', "recipe photo: Invalid value for '--rules'"),
        ('labels = "names.txt"', 'labels = "none.txt"', "recipe photo: --labels none.txt: no such file"),
        ("[tool.fgcompile]", "[tool.fgcompile", "pyproject.toml cannot be read as TOML"),
        ("fgcompile", "other", "no fgcompile.toml or pyproject.toml here has recipes"),
    ],
)
def test_mistakes_are_told_before_anything_is_compiled(
    run: Run, project: Path, old: str, new: str, message: str
) -> None:
    (project / "pyproject.toml").write_text(PROJECT.replace(old, new))
    assert_one_line_error(run("compile"), message)
    assert not list(project.glob("*.onnx"))


def test_recipes_and_a_source_exclude_each_other(run: Run, project: Path) -> None:
    assert_one_line_error(
        run("compile", "--recipe", "large"), "pyproject.toml has no recipe large: it has small, photo"
    )
    assert_one_line_error(run("compile", "m:b", "-o", "x.onnx", "--force"), "--recipe and --force are for the recipes")
    assert_one_line_error(run("compile", "m:b"), "-o OUT is missing")
    assert_one_line_error(run("compile", "-o", "x.onnx"), "SOURCE is missing")


def test_a_file_of_its_own_goes_before_the_project_s(project: Path) -> None:
    (project / "fgcompile.toml").write_text('device = "cpu"\n[one]\nsource = "m:b"\n')
    file, recipes = find_recipes(project)
    assert file.name == "fgcompile.toml"
    assert recipes == [Recipe("one", {"device": "cpu", "source": "m:b"})]
    (project / "fgcompile.toml").write_text("[tool.fgcompile.two]\n")
    assert find_recipes(project)[1] == [Recipe("two", {})]
    (project / "fgcompile.toml").write_text("")
    assert find_recipes(project)[0].name == "pyproject.toml"


def test_options_are_typed_as_they_stand() -> None:
    options = {"source": "m:b", "mean": [0.5, 1], "input": ["a=3", "b=4"], "on_demand": True, "bare": False, "top": 3}
    typed = ["m:b", "--mean=0.5,1", "--input=a=3", "--input=b=4", "--on-demand", "--top=3"]
    assert Recipe("x", options).arguments() == typed
    assert Recipe("x", {"dynamic_sizes": False}).arguments() == ["--fixed-sizes"]
    with pytest.raises(InputError, match="when is"):
        Recipe("x", {"when": [[]]}).arguments()


def test_options_of_one_artifact_are_refused_where_recipes_have_their_own(run: Run, project: Path) -> None:
    refused = run("compile", "--rules", "taylor", "--json", "--on-demand")
    assert_one_line_error(refused, "--rules and --on-demand: without SOURCE and -o recipes are compiled")
    assert not list(project.glob("*.onnx"))


def test_every_key_is_of_the_kind_that_its_option_takes(project: Path) -> None:
    """A number where a text is meant, and a text where a number is, for every option of the command."""
    command: Any = typer.main.get_command(app)
    options = {name.removeprefix("--"): each for each in command.commands["compile"].params for name in each.opts}
    numbers = {"mean", "std", "scale", "resize", "input", "target", "targets", "explained", "batch"}
    for key, option in options.items():
        if key in {"o", "q", "v", "source", "recipe", "force", "json", "quiet", "verbose", "output"}:
            continue
        if option.is_flag:
            require_kinds({key: True}, options)
            wrong: Any = "true"
        else:
            require_kinds({key: 3 if key == "batch" else "3"}, options)
            wrong = 3 if key not in numbers else {"x": 3} if key != "batch" else "3"
        with pytest.raises(InputError, match=rf"^{key} is .*: give "):
            require_kinds({key: wrong}, options)
