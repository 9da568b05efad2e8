"""The command line: arguments and printing only. Whatever needs torch is imported by the command that needs it."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from typing import Annotated, Any, NoReturn

import typer

from fgcompile._version import __version__
from fgcompile.cli import artifacts, cards, compiling, console, demonstration, pages, production, terminal
from fgcompile.errors import FgcompileError

app = typer.Typer(
    name="fgcompile",
    help="Compile a PyTorch model into one graph that returns its prediction and its exact FullGrad explanation.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Runs the command line; a user's error becomes one line and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows ASCII alone is shown the rest escaped
            stream.reconfigure(errors="backslashreplace")
    _quieten_pytorch()
    terminal.show_warnings_in_one_line()
    console.reset()
    try:
        status = app(standalone_mode=False)
    except FgcompileError as error:
        terminal.print_error(error)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        if not hasattr(error, "format_message"):  # which the parser's have, under whichever name it is installed
            raise
        _end_usage(error)
    sys.exit(status if isinstance(status, int) else 0)


def _end_usage(error: Any) -> NoReturn:
    """A mistake in the options is one line too; a command that was given none shows its help."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.exit(error.exit_code)
    message = error.format_message().rstrip(".").replace(": Value error, ", ": ")  # as pydantic begins
    help = "" if context is None else f": see {context.command_path} --help"
    terminal.print_error(UsageError(f"{message}{help}"))
    sys.exit(2)


class UsageError(FgcompileError):
    """The options of a command are none that it has."""


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


for _command, _example in (
    (compiling.compile_, "compile timm:resnet18 --weights resnet18.pth -o resnet18.onnx"),
    (artifacts.inspect, "inspect resnet18.onnx --json"),
    (artifacts.verify, "verify resnet18.onnx --source timm:resnet18 --weights resnet18.pth"),
    (artifacts.explain, "explain resnet18.onnx photos/ -o explained --top 3"),
    (artifacts.bench, "bench resnet18.onnx --threads 1"),
    (production.batch, "batch resnet18.onnx photos/ -o maps --format npz"),
    (production.serve, "serve resnet18.onnx --port 8080"),
    (production.triton, "triton resnet18.onnx -o models"),
    (pages.page, "page resnet18.onnx -o site"),
    (pages.ui, "ui resnet18.onnx"),
    (cards.card, "card resnet18.onnx photo.jpg -o folder --license apache-2.0"),
    (demonstration.demo, "demo -o demo"),
):
    app.command(_command.__name__.rstrip("_"), epilog=f"As: fgcompile {_example}")(_command)
