"""The command line: arguments and printing only. Whatever needs torch is imported by the command that needs it."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from typing import Annotated

import typer

from fgcompile._version import __version__
from fgcompile.cli import artifacts, compiling, demonstration, pages, production, terminal
from fgcompile.errors import FgcompileError

app = typer.Typer(
    name="fgcompile",
    help="Compile a PyTorch model into one graph that returns its prediction and its exact FullGrad explanation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Runs the command line; a user's error becomes one line and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows ASCII alone is shown the rest escaped
            stream.reconfigure(errors="backslashreplace")
    _quieten_pytorch()
    terminal.show_warnings_in_one_line()
    try:
        app()
    except FgcompileError as error:
        terminal.print_error(error)
        sys.exit(2)


def _quieten_pytorch() -> None:
    """Turns off PyTorch's notes to its own developers, which the user of a command can do nothing about."""
    for category in (DeprecationWarning, FutureWarning):
        warnings.simplefilter("ignore", category)
    logging.getLogger("torch.fx").setLevel(logging.ERROR)


def _print_version(wanted: bool) -> None:
    if wanted:
        terminal.print_line(f"fgcompile {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


app.command("compile")(compiling.compile_)
app.command()(artifacts.inspect)
app.command()(artifacts.verify)
app.command()(artifacts.explain)
app.command()(artifacts.bench)
app.command()(production.batch)
app.command()(production.serve)
app.command()(production.triton)
app.command()(pages.page)
app.command()(demonstration.demo)
