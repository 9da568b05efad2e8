"""An artifact on a page of its own: ``page``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fgcompile.cli import terminal
from fgcompile.cli.parameters import ArtifactArgument, QuietOption, VerboseOption
from fgcompile.page.packages import REGISTRY


def page(
    artifact: ArtifactArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write the page.")],
    packages: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A node_modules with what the page runs on; by default it is fetched once."),
    ] = None,
    registry: Annotated[
        str, typer.Option(metavar="URL", envvar="NPM_CONFIG_REGISTRY", help="The registry of npm's to fetch it from.")
    ] = REGISTRY,
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Write a static page that explains photos or texts by an artifact, in WebAssembly or WebGPU; it works offline."""
    from fgcompile.page.site import write_page

    with terminal.steps() as report:
        write_page(artifact, output, packages, registry, report)
    terminal.print_line(
        f"{output}: serve it as files, python -m http.server -b 127.0.0.1 -d {output}, then open http://127.0.0.1:8000"
    )
