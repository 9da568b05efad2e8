"""The command line: arguments and printing only. Whatever needs torch is imported by the command that needs it."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fgcompile import __version__, terminal
from fgcompile.arguments import (
    DEFAULT_INPUT,
    choose_format,
    parse_class,
    parse_input,
    parse_layouts,
    parse_normalisation,
    parse_target,
    read_labels,
)
from fgcompile.artifact import Metadata, read_metadata
from fgcompile.errors import FgcompileError, InputError, OutputError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from fgcompile.validation import Array

_VERIFIED_INPUTS = 4

app = typer.Typer(
    name="fgcompile",
    help="Compile a PyTorch model into one graph that returns its prediction and its exact FullGrad explanation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="package.module:callable (arguments as name?key=value), torchvision:NAME, timm:NAME, "
        "transformers:PATH, or a .pt2 or .onnx file.",
    ),
]
ArtifactArgument = Annotated[Path, typer.Argument(metavar="ARTIFACT", help="A compiled artifact.")]
WeightsOption = Annotated[Path | None, typer.Option(metavar="FILE", help="A state dict: .safetensors or .pt.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ProviderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="OpenVINO, or an execution provider of ONNX Runtime, as CUDAExecutionProvider; once for each, best first. "
        "Of TorchScript: cuda.",
    ),
]


def main() -> None:
    """Runs the command line; a user's error becomes one line and exit status 2."""
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


@app.command("compile")
def compile_(
    source: SourceArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Where to write the artifact.")],
    weights: WeightsOption = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="CxHxW",
            help=f"An input's shape without batch, {DEFAULT_INPUT} by default; 128:int64 for token ids; once for each.",
        ),
    ] = None,
    artifact_format: Annotated[
        str | None,
        typer.Option("--format", help="onnx, pt2 (AOTInductor) or torchscript (legacy); by default by OUT's suffix."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="A class, 'predicted', a difference of two logits as 3-5, or package.module:function of the output; "
            "by default the artifact takes the class as an input."
        ),
    ] = None,
    explained: Annotated[
        str | None, typer.Option("--explained", help="Which of several outputs is explained, by name or position.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="fullgrad, simple_fullgrad (no biases in the map) or smooth_fullgrad (noisy copies).")
    ] = "fullgrad",
    rules: Annotated[
        str,
        typer.Option(
            help="taylor: true gradients, as in the paper; libragrad: gates, attention weights and the scales of "
            "normalisations are constants, for Transformers."
        ),
    ] = "taylor",
    psi: Annotated[
        str,
        typer.Option(
            help="How each term becomes a map: fullgrad, the authors'; grad-cam, pytorch-grad-cam's; signed, as it is."
        ),
    ] = "fullgrad",
    outputs: Annotated[
        str, typer.Option(help="Separated by commas; also contributions, residual, input_gradient, bias_gradients.")
    ] = "logits,saliency",
    biases: Annotated[
        str, typer.Option(help="constants, or inputs: the artifact takes the bias parameters, by default as trained.")
    ] = "constants",
    layout: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=LAYOUT", help="How an input's or site's axes lie over space, as 'x=n h w c'."),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(help="One number a channel, separated by commas; the artifact then takes the raw uint8 photo."),
    ] = None,
    std: Annotated[str | None, typer.Option(help="As --mean, and only with it: x = (photo/255 - mean)/std.")] = None,
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help="Class names, one a line.")] = None,
    on_demand: Annotated[
        bool, typer.Option("--on-demand", help="Add an input 'explain': false returns the logits at a forward's price.")
    ] = False,
    precision: Annotated[
        str, typer.Option(help="float32; or float16 or bfloat16, in which the network then computes, for GPUs.")
    ] = "float32",
    dynamic_sizes: Annotated[
        bool, typer.Option("--dynamic-sizes", help="Height and width are dynamic too; for convolutional models.")
    ] = False,
    device: Annotated[str, typer.Option(help="What a .pt2 is compiled for: cpu or cuda.")] = "cpu",
) -> None:
    """Compile a model into an artifact."""
    chosen_format = choose_format(artifact_format, output)
    if not output.absolute().parent.is_dir():
        raise OutputError(f"{output}: its folder does not exist: create it first")
    shapes = [parse_input(text) for text in inputs or []]
    score = None if target is None else parse_target(target)
    layouts = parse_layouts(layout or [])
    names = None if labels is None else read_labels(labels)
    channels = parse_normalisation(mean, std)
    with terminal.progress(f"compiling {source}") as report:
        import fgcompile

        report("load")
        model = _load_model(source, weights)
        artifact = fgcompile.compile(
            model,
            _example_inputs(model, shapes),
            format=chosen_format,
            target=score,
            output=int(explained) if explained is not None and explained.isdigit() else explained,
            method=method,
            psi=psi,
            rules=rules,
            outputs=tuple(outputs.split(",")),
            biases=biases,
            layouts=layouts,
            preprocess=None if channels is None else fgcompile.Preprocess(mean=channels[0], std=channels[1]),
            dynamic_sizes=dynamic_sizes,
            on_demand=on_demand,
            precision=precision,
            labels=names,
            device=device,
            progress=report,
        )
        artifact.save(output)
    terminal.print_summary(read_metadata(output), output)


@app.command()
def inspect(artifact: ArtifactArgument, as_json: JsonOption = False) -> None:
    """Show what an artifact says of itself."""
    metadata = read_metadata(artifact)
    if as_json:
        terminal.print_json(metadata)
    else:
        terminal.print_artifact(metadata, artifact)


@app.command()
def verify(
    artifact: ArtifactArgument,
    source: Annotated[str, typer.Option(metavar="SOURCE", help="The model it was compiled from.")],
    weights: WeightsOption = None,
    providers: ProviderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check an artifact against the eager model; exit status 1 if it differs."""
    with terminal.progress(f"verifying {artifact}"):
        import fgcompile

        inputs = _noise(read_metadata(artifact))
        report = fgcompile.verify(artifact, _load_model(source, weights), inputs, providers=providers)
    if as_json:
        terminal.print_json(report.as_dict())
    else:
        terminal.print_report(report, artifact)
    if not report.passed:
        raise typer.Exit(1)


@app.command()
def explain(
    artifact: ArtifactArgument,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Photos, in any common format.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write the pictures.")],
    target: Annotated[str, typer.Option(help="The class to explain, or 'predicted'.")] = "predicted",
    providers: ProviderOption = None,
    as_json: JsonOption = False,
    npy: Annotated[bool, typer.Option("--npy", help="Also write each map as a .npy file.")] = False,
) -> None:
    """Explain photos: a picture of photo, map and overlay for each."""
    target_class = parse_class(target)
    with terminal.progress("explaining") as report:
        from fgcompile.explain import explain_photos
        from fgcompile.runtime import load

        session = load(artifact, providers)
        records = explain_photos(
            session,
            images,
            output,
            target=target_class if isinstance(target_class, int) else None,
            npy=npy,
            report=report,
        )
    if as_json:
        terminal.print_json(records)
    else:
        terminal.print_explanations(records)


@app.command()
def bench(
    artifact: ArtifactArgument,
    batch: Annotated[int | None, typer.Option(metavar="N", help="Samples of one call, by default 1.")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of one operator.")] = None,
    concurrency: Annotated[int, typer.Option(metavar="C", help="Calls at the same time.")] = 1,
    seconds: Annotated[float | None, typer.Option(metavar="S", help="How long to measure, by default 10.")] = None,
    repeats: Annotated[int | None, typer.Option(metavar="R", help="How many rounds to measure instead.")] = None,
    providers: ProviderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure what an explanation costs here, beside the forward pass alone."""
    with terminal.progress(f"measuring {artifact}") as report:
        from fgcompile.bench import bench

        result = bench(
            artifact,
            batch=batch,
            threads=threads,
            concurrency=concurrency,
            seconds=seconds,
            repeats=repeats,
            providers=providers,
            report=report,
        )
    if as_json:
        terminal.print_json(result.as_dict())
    else:
        terminal.print_bench(result, artifact)


@app.command()
def batch(
    artifact: ArtifactArgument,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE…", help="Files, folders, or patterns in quotes.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write the results, and to go on with them.")
    ],
    target: Annotated[str, typer.Option(help="The class to explain, or 'predicted'.")] = "predicted",
    results: Annotated[
        str, typer.Option("--format", help="Where the maps go: parquet, a column of the results; npz; png, pictures.")
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
    as_json: JsonOption = False,
) -> None:
    """Explain many images with Ray Data; started again after a kill, it goes on where it stopped."""
    target_class = parse_class(target)
    with terminal.progress("explaining") as report:
        from fgcompile.bulk import Workers, explain_in_bulk

        summary = explain_in_bulk(
            artifact,
            images,
            output,
            target=target_class if isinstance(target_class, int) else None,
            format=results,
            workers=Workers(actors, threads, size, providers, address),
            report=report,
        )
    if as_json:
        terminal.print_json(summary.as_dict())
    else:
        terminal.print_bulk(summary)


@app.command()
def serve(
    artifacts: Annotated[list[Path], typer.Argument(metavar="ARTIFACT…", help="Compiled artifacts.")],
    host: Annotated[str, typer.Option(metavar="HOST", help="Where to listen; 0.0.0.0 for all interfaces.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(metavar="PORT", help="Of REST and metrics.")] = 8080,
    grpc_port: Annotated[int, typer.Option(metavar="PORT", help="Of gRPC.")] = 8081,
    max_batch: Annotated[int, typer.Option(metavar="N", help="The most samples of one request.")] = 32,
    max_body: Annotated[int, typer.Option(metavar="MIB", help="The largest request.")] = 64,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of one operator.")] = None,
    providers: ProviderOption = None,
) -> None:
    """Serve artifacts, each under its file's stem: Open Inference Protocol, REST and gRPC, with Prometheus metrics."""
    from fgcompile.serving.requests import Limits
    from fgcompile.serving.server import Address, serve

    limits = Limits(batch=max_batch, body=max_body << 20)
    serve(artifacts, Address(host, port, grpc_port), limits, providers=providers, threads=threads)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write everything.")] = Path(
        "fgcompile-demo"
    ),
) -> None:
    """Compile two trained networks, verify them, and explain real pictures; ends with a page to open."""
    with terminal.steps() as report:
        from fgcompile.demo.extras import check_extras

        check_extras()
        from fgcompile.demo.run import run_demo

        index = run_demo(output, report)
    terminal.print_line(f"Open {index}")


def _load_model(source: str, weights: Path | None) -> nn.Module | ExportedProgram:
    """The model; without weights its random ones are the same every time, so that `verify` sees what was compiled."""
    import torch

    from fgcompile.sources import load_model

    torch.manual_seed(0)
    return load_model(source, weights)


def _example_inputs(
    model: nn.Module | ExportedProgram, shapes: Sequence[tuple[tuple[int, ...], str]]
) -> tuple[Tensor, ...]:
    """Noise, or ones for integers, the same every time; an exported program brings its own example."""
    import torch
    from torch.export import ExportedProgram

    if not shapes and isinstance(model, ExportedProgram) and model.example_inputs is not None:
        return tuple(model.example_inputs[0])
    generator = torch.Generator().manual_seed(0)
    return tuple(
        torch.randn(2, *sizes, generator=generator)
        if dtype == "float32"
        else torch.ones((2, *sizes), dtype=torch.int64)
        for sizes, dtype in shapes or [parse_input(DEFAULT_INPUT)]
    )


def _noise(metadata: Metadata) -> list[Array]:
    """A few inputs that an artifact takes, in its order; only numbers of images and signals can be made up."""
    from fgcompile.noise import make_noise
    from fgcompile.validation import input_specs

    for spec in input_specs(metadata):
        if spec["dtype"] != "uint8" and not spec["dtype"].startswith("float"):
            raise InputError(
                f"cannot make up values for input {spec['name']} ({spec['dtype']}): call fgcompile.verify in Python"
            )
    return list(make_noise(metadata, _VERIFIED_INPUTS).values())
