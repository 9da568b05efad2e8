"""An artifact on a page of its own: ``page``, and ``ui``, which shows it at once."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from fgcompile.cli import terminal
from fgcompile.cli.parameters import ArtifactArgument, QuietOption, VerboseOption
from fgcompile.page.packages import REGISTRY

PackagesOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="A node_modules with what the page runs on; by default it is fetched once."),
]
RegistryOption = Annotated[
    str, typer.Option(metavar="URL", envvar="NPM_CONFIG_REGISTRY", help="The registry of npm's to fetch it from.")
]


def page(
    artifact: ArtifactArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write the page.")],
    packages: PackagesOption = None,
    registry: RegistryOption = REGISTRY,
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


def ui(
    artifact: ArtifactArgument,
    port: Annotated[int, typer.Option(metavar="PORT", help="Of this machine; 0 takes one that is free.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    packages: PackagesOption = None,
    registry: RegistryOption = REGISTRY,
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Show an artifact in this machine's browser, to explain photos or texts with; ends with Ctrl+C."""
    from fgcompile.page.local import HOST, open_server
    from fgcompile.page.site import write_page

    with tempfile.TemporaryDirectory(prefix="fgcompile-") as name, open_server(Path(name), port) as server:
        with terminal.steps() as report:
            write_page(artifact, Path(name), packages, registry, report)
        address = f"http://{HOST}:{server.server_port}"
        terminal.print_line(f"{address} explains by {artifact}; Ctrl+C ends it")
        if browser:
            typer.launch(address)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
