"""Jobs run and told of: one, or those of a project's recipes that changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from fgcompile.artifact.file import read_artifact, weights_file
from fgcompile.artifact.metadata import Metadata
from fgcompile.cli import terminal
from fgcompile.cli.building import Job, build
from fgcompile.cli.freshness import entry_of, read_cache, why_stale, write_cache
from fgcompile.cli.recipe_kinds import require_kinds
from fgcompile.cli.recipes import Recipe, find_recipes
from fgcompile.cli.stages import Stopwatch
from fgcompile.errors import FgcompileError, InputError

_OF_RECIPES = ("--recipe", "--force", "--json", "--quiet", "--verbose")


@dataclass(frozen=True)
class Made:
    """An artifact that was just compiled.

    Attributes:
        job: What was asked for.
        metadata: What it says of itself.
        seconds: Of each stage.
        left_out: What its source says and could not be taken, and why.
        weights: The file beside it that has its weights, where there is one.
    """

    job: Job
    metadata: Metadata
    seconds: Mapping[str, float]
    left_out: Sequence[str]
    weights: Path | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        content = self.job.output.read_bytes()
        return {
            "artifact": str(self.job.output),
            "size": len(content),
            "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
            "seconds": self.seconds,
            "left_out": list(self.left_out),
            **self.metadata,
        }

    def show(self) -> None:
        """For people."""
        from fgcompile.cli.next_steps import commands, python_calls

        calls, typed = python_calls(self.metadata), commands(self.metadata, self.job.output)
        terminal.print_summary(self.metadata, self.job.output, self.weights, calls, typed, self.left_out)


def run(job: Job) -> Made:
    """Compiles one.

    Raises:
        FgcompileError: As ``fgcompile.compile``.
    """
    watch = Stopwatch()
    with terminal.progress(f"compiling {job.source.text}") as report:
        preset = build(job, watch.before(report))
    watch.stop()
    left = () if preset is None else preset.left_out
    content, metadata = read_artifact(job.output)
    return Made(job, metadata, watch.seconds, left, weights_file(content, metadata, job.output))


def build_recipes(context: typer.Context, names: Sequence[str], force: bool, as_json: bool) -> None:
    """Compiles the recipes of the current folder that changed.

    Raises:
        FgcompileError: One cannot be read, before any is compiled; or cannot be compiled, which ends it.
    """
    require_alone(context)
    file, recipes = find_recipes(Path.cwd())
    if unknown := sorted(set(names) - {recipe.name for recipe in recipes}):
        raise InputError(f"{file.name} has no recipe {unknown[0]}: it has {', '.join(one.name for one in recipes)}")
    jobs = {recipe.name: _read(context, recipe) for recipe in recipes if not names or recipe.name in names}
    _require_distinct(jobs)
    root, records = file.parent, []
    known = read_cache(root)
    for recipe in recipes:
        if recipe.name not in jobs:
            continue
        job, arguments = jobs[recipe.name], recipe.arguments()
        why = "it was asked for" if force else why_stale(known.get(recipe.name), job, arguments, root)
        record: dict[str, Any] = {"recipe": recipe.name, "made": why is not None, "why": why}
        if not as_json:
            terminal.print_line(f"{recipe.name}: {f'{why}: compiling' if why else f'{job.output} is as it was'}")
        if why is None:
            records.append({**record, "artifact": str(job.output)})
            continue
        with _of(recipe):
            made = run(job)
        write_cache(root, known := {**known, recipe.name: entry_of(job, arguments, root)})
        records.append({**record, **made.as_dict()} if as_json else record)
        if not as_json:
            made.show()
    if as_json:
        terminal.print_json(records)


def require_alone(context: typer.Context) -> None:
    """Refuses options of one artifact where recipes have their own.

    Raises:
        InputError: Names them.
    """
    given = [
        option.opts[0]
        for option in context.command.params
        if getattr(context.get_parameter_source(option.name or ""), "name", "") == "COMMANDLINE"
        and option.opts[0] not in _OF_RECIPES
    ]
    if given:
        raise InputError(
            f"{' and '.join(given)}: without SOURCE and -o recipes are compiled, which have options of their own: give "
            "these in the TOML, or SOURCE and -o here"
        )


def _read(context: typer.Context, recipe: Recipe) -> Job:
    """A recipe's job, by the options of the command itself."""
    found: list[Job] = []
    with _of(recipe):
        if missing := [key for key in ("source", "output") if key not in recipe.options]:
            raise InputError(f"{' and '.join(missing)}: missing")
        require_kinds(
            recipe.options, {name.removeprefix("--"): each for each in context.command.params for name in each.opts}
        )
        context.command.main(recipe.arguments(), standalone_mode=False, obj=found)
    return found[0]


@contextmanager
def _of(recipe: Recipe) -> Iterator[None]:
    """Errors within name the recipe."""
    try:
        yield
    except FgcompileError as error:
        raise type(error)(f"recipe {recipe.name}: {error}") from error
    except Exception as error:
        if not hasattr(error, "format_message"):  # which the parser's have
            raise
        raise InputError(
            f"recipe {recipe.name}: {error.format_message().rstrip('.').replace(': Value error, ', ': ')}"
        ) from error


def _require_distinct(jobs: Mapping[str, Job]) -> None:
    places: dict[Path, str] = {}
    for name, job in jobs.items():
        place = job.output.absolute()
        if place in places:
            raise InputError(f"recipes {places[place]} and {name} both write {job.output}: change one of them")
        places[place] = name
