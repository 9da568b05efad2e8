"""An artifact in production: ``batch``, ``serve``, ``triton``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fgcompile.artifact.file import read_metadata
from fgcompile.cli import choices, terminal
from fgcompile.cli.arguments import parse_reading
from fgcompile.cli.parameters import (
    ArtifactArgument,
    BackgroundOption,
    FittingOption,
    JsonOption,
    MaxPixelsOption,
    PageOption,
    ProviderOption,
    QuietOption,
    TrustOption,
    VerboseOption,
    WindowOption,
)
from fgcompile.cli.paths import require_files
from fgcompile.pictures.reading import MAX_PIXELS


def batch(
    artifact: ArtifactArgument,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE…", help="Files, folders, or patterns in quotes.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write the results, and to go on with them.")
    ],
    target: Annotated[
        str | None,
        typer.Option(
            help="The class to explain, by number or name, by default the predicted one; of outputs of more axes an "
            "index for each, as cat,40,31."
        ),
    ] = None,
    results: Annotated[
        choices.MapFormat,
        typer.Option("--format", help="Where the maps go: parquet, a column of the results; npz; png, pictures."),
    ] = "parquet",
    size: Annotated[
        int, typer.Option("--batch", metavar="N", help="Images of one call; more than 1 pays on graphics cards.")
    ] = 1,
    actors: Annotated[
        int | None, typer.Option(metavar="N", help="Processes that explain, by default one a core or graphics card.")
    ] = None,
    threads: Annotated[int, typer.Option(metavar="N", help="Threads of one operator, in each of them.")] = 1,
    providers: ProviderOption = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", envvar="RAY_ADDRESS", help="A running Ray's; by default one is started here."),
    ] = None,
    fit: FittingOption = None,
    window: WindowOption = None,
    background: BackgroundOption = "white",
    page: PageOption = 1,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
    trust: TrustOption = False,
    as_json: JsonOption = False,
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Explain many images with Ray Data; started again after a kill, it goes on where it stopped.

    Exit status 1 if one of them cannot be read.
    """
    reading = parse_reading(window, background, page, max_pixels, fit)
    with terminal.progress("explaining") as report:
        from fgcompile.bulk import explain_in_bulk, require_ray
        from fgcompile.bulk.options import Workers

        require_ray()
        workers = Workers(actors, threads, size, providers, address)
        metadata = read_metadata(artifact)
        from fgcompile.bulk.asking import read_question
        from fgcompile.bulk.paths import find_images

        read_question(metadata, target, reading)
        find_images(images, without=output)
        from fgcompile.runtime.rehearsal import require_sound

        require_sound(artifact, providers, threads, trust)
        summary = explain_in_bulk(
            artifact,
            images,
            output,
            target=target,
            format=results,
            reading=reading,
            workers=workers,
            trust=trust or None,
            report=report,
        )
    if as_json:
        terminal.print_json(summary.as_dict())
    else:
        terminal.print_bulk(summary)
    if summary.unreadable:
        raise typer.Exit(1)


def serve(
    artifacts: Annotated[list[Path], typer.Argument(metavar="ARTIFACT…", help="Compiled artifacts.")],
    host: Annotated[str, typer.Option(metavar="HOST", help="Where to listen; 0.0.0.0 for all interfaces.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(metavar="PORT", help="Of REST and metrics.")] = 8080,
    grpc_port: Annotated[int, typer.Option(metavar="PORT", help="Of gRPC.")] = 8081,
    workers: Annotated[int, typer.Option(metavar="N", help="Processes; one that is killed is replaced.")] = 1,
    concurrency: Annotated[
        int, typer.Option(metavar="N", help="Calls that a worker runs side by side; further requests wait.")
    ] = 1,
    max_batch: Annotated[int, typer.Option(metavar="N", help="The most samples of one request.")] = 32,
    max_body: Annotated[int, typer.Option(metavar="MIB", help="The largest request.")] = 64,
    max_memory: Annotated[
        int, typer.Option(metavar="MIB", help="What requests in flight may take together, in each worker.")
    ] = 512,
    max_connections: Annotated[
        int, typer.Option(metavar="N", help="Clients of REST, and as many of gRPC, in each worker.")
    ] = 400,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to wait for a client in the midst of a request.")
    ] = 10.0,
    idle: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long a connection may be without a request.")
    ] = 65.0,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate (PEM): TLS, on both ports.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key (PEM).")] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Holds the token that clients send: Authorization: Bearer TOKEN."),
    ] = None,
    model_control: Annotated[bool, typer.Option("--model-control", help="Clients may load and unload models.")] = False,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of one operator.")] = None,
    providers: ProviderOption = None,
    trust: TrustOption = False,
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Serve artifacts, each under its file's stem: Open Inference Protocol, REST and gRPC, with Prometheus metrics."""
    require_files({"--tls-cert": tls_cert, "--tls-key": tls_key, "--token-file": token_file})
    from fgcompile.serving.address import Address
    from fgcompile.serving.admission import Limits
    from fgcompile.serving.server import Guard, serve

    limits = Limits(
        batch=max_batch,
        body=max_body << 20,
        memory=max_memory << 20,
        connections=max_connections,
        patience=patience,
        idle=idle,
    )
    serve(
        artifacts,
        Address(host, port, grpc_port),
        limits,
        Guard(tls_cert, tls_key, token_file, model_control),
        workers=workers,
        concurrency=concurrency,
        providers=providers,
        threads=threads,
        trust=trust,
        report=terminal.report,
    )


def triton(
    artifacts: Annotated[list[Path], typer.Argument(metavar="ARTIFACT…", help="Compiled artifacts.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="REPOSITORY", help="The model repository.")],
    backend: Annotated[
        choices.TritonBackend | None,
        typer.Option(help="python: model.py runs ONNX artifacts; by default Triton's own backend of the format."),
    ] = None,
    max_batch: Annotated[int, typer.Option(metavar="N", help="The most samples of one call.")] = 32,
    max_delay: Annotated[
        int, typer.Option(metavar="MICROSECONDS", help="How long a request may wait for others to share a call.")
    ] = 0,
    instances: Annotated[int, typer.Option(metavar="N", help="Copies that run at the same time, on a device.")] = 1,
    device: Annotated[choices.TritonDevice, typer.Option(help="auto: on a GPU where there is one.")] = "auto",
    tensorrt: Annotated[
        bool, typer.Option("--tensorrt", help="ONNX Runtime hands to TensorRT what that runs.")
    ] = False,
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Add artifacts to a model repository of NVIDIA's Triton Inference Server, each under its file's stem."""
    from fgcompile.serving.triton import Deployment, write_models

    deployment = Deployment(
        python=backend == "python",
        max_batch=max_batch,
        max_delay=max_delay,
        instances=instances,
        device=device,
        tensorrt=tensorrt,
    )
    for version in write_models(artifacts, output, deployment):
        terminal.print_line(f"Wrote {version}")
    terminal.print_line(f"Run it: tritonserver --model-repository {output.absolute()}")
