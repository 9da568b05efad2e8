"""What a person does with an artifact: ``inspect``, ``verify``, ``explain``, ``bench``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from fgcompile.artifact.file import read_artifact, read_metadata
from fgcompile.artifact.onnx_container import find_beside
from fgcompile.cli import facts, terminal
from fgcompile.cli.arguments import parse_reading, read_target
from fgcompile.cli.explaining import Given, explain_given
from fgcompile.cli.flags import with_options
from fgcompile.cli.models import noise, seeded_model
from fgcompile.cli.parameters import (
    ArtifactArgument,
    BackgroundOption,
    ContinuationOption,
    FilesOption,
    FittingOption,
    JsonOption,
    MaxPixelsOption,
    PageOption,
    PairsOption,
    ProviderOption,
    QuietOption,
    TargetOption,
    TextsOption,
    TrustOption,
    VerboseOption,
    WeightsOption,
    WindowOption,
)
from fgcompile.cli.source_names import read_name, require_there
from fgcompile.pictures.reading import MAX_PIXELS


def inspect(
    artifact: ArtifactArgument,
    as_json: JsonOption = False,
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Show what an artifact says of itself."""
    content, metadata = read_artifact(artifact)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    beside = find_beside(content) if metadata["format"] == "onnx" else None
    data = {} if beside is None else {"data": {"file": beside.name, "digest": beside.digest}}
    if as_json:
        terminal.print_json({"digest": digest, **data, **metadata})
    else:
        terminal.print_artifact(metadata, artifact, {"digest": digest, **facts.beside(beside)})


def verify(
    artifact: ArtifactArgument,
    source: Annotated[str, typer.Option(metavar="SOURCE", help="The model it was compiled from.")],
    weights: WeightsOption = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="The score that it was compiled with, where that was a function of your own, as for compile."
        ),
    ] = None,
    providers: ProviderOption = None,
    trust: TrustOption = False,
    as_json: JsonOption = False,
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Check an artifact against the eager model; exit status 1 if it differs."""
    named = read_name(source)
    named_score = None if target is None else read_target(target)
    require_there(named, weights)
    metadata = read_metadata(artifact)
    with terminal.progress(f"verifying {artifact}"):
        import fgcompile
        from fgcompile.compiler.verify import OTHER_WEIGHTS
        from fgcompile.runtime.rehearsal import require_sound

        check = fgcompile.verify  # first of all, for it says what is not installed
        score: Any = named_score() if callable(named_score) else named_score  # what is none, verify refuses
        require_sound(artifact, providers, trust=trust)
        inputs = noise(metadata)
        # A file is read as the artifact says that it was.
        model = Path(source) if named.is_file and source.endswith(".onnx") else seeded_model(source, weights)
        report = check(artifact, model, inputs, score, providers=providers, trust=trust or None)
    if as_json:
        terminal.print_json(report.as_dict())
    else:
        lacking = report.checks[0].name == OTHER_WEIGHTS and weights is None and not named.is_file
        hint = "no --weights were given, and the artifact has others: give --weights FILE, those of compile"
        terminal.print_report(report, artifact, hint if lacking else None)
    if not report.passed:
        raise typer.Exit(1)


def explain(
    artifact: ArtifactArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write the pictures.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE|FOLDER|ARRAY|TEXT…",
            help="Photos, DICOM, or uint8 arrays as .npy, folders of photos and patterns in quotes; of an artifact "
            "without preprocessing .npy files of what it takes, a sample or several; of one with a tokenizer texts, or "
            ".txt files of them.",
        ),
    ] = None,
    target: TargetOption = None,
    targets: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="Several side by side, on one scale; of two also the difference. With ';' between them names may "
            "have commas.",
        ),
    ] = None,
    top: Annotated[int | None, typer.Option(metavar="N", help="The N best classes side by side.")] = None,
    box: Annotated[
        str | None,
        typer.Option(
            metavar="OUTPUT:LAYOUT",
            help="A detector's boxes, which are drawn: the output that holds them, and cxcywh, xyxy or xywh; "
            ":fraction behind if they are parts of the picture.",
        ),
    ] = None,
    texts: TextsOption = None,
    files: FilesOption = None,
    pairs: PairsOption = False,
    continuation: ContinuationOption = None,
    providers: ProviderOption = None,
    as_json: JsonOption = False,
    npy: Annotated[bool, typer.Option("--npy", help="Also write each map as a .npy file.")] = False,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also write the whole photo under its map, at the photo's own size.")
    ] = False,
    alpha: Annotated[
        float | None, typer.Option(metavar="A", help="How opaque a map is at its strongest, 0 to 1, by default 0.92.")
    ] = None,
    colormap: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="inferno or viridis, of a signed map orange-blue; or one of matplotlib's, with the extra plot.",
        ),
    ] = None,
    fit: FittingOption = None,
    window: WindowOption = None,
    background: BackgroundOption = "white",
    page: PageOption = 1,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
    trust: TrustOption = False,
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Explain photos or arrays, a picture of each with its map; or texts, a page of all and a picture of each.

    Exit status 1 if one of them cannot be read.
    """
    reading = parse_reading(window, background, page, max_pixels, fit)
    if not all(option is None for option in (target, targets, top, alpha, colormap)):
        from fgcompile.media.explain import require_askable

        require_askable(read_metadata(artifact), (target, targets, top), (colormap, alpha))
    of_photos = {"targets": targets, "top": top, "box": box, "npy": npy, "overlay": overlay, "alpha": alpha}
    of_photos |= {"colormap": colormap}
    given = Given(inputs or [], reading, files or [], texts or [], pairs, continuation, target, of_photos)
    with terminal.progress("explaining") as report:
        explained = explain_given(artifact, given, output, output, (providers, trust), report)
    records = with_options(explained.records)
    terminal.warn_of_random_weights(explained.metadata)
    if as_json:
        terminal.print_json(records)
    elif explained.texts:
        terminal.print_texts(records)
    else:
        terminal.print_explanations(records)
    terminal.tell_passed_over(explained.passed_over)
    if any("error" in record for record in records):
        raise typer.Exit(1)


def bench(
    artifact: ArtifactArgument,
    batch: Annotated[int | None, typer.Option(metavar="N", help="Samples of one call, by default 1.")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of one operator.")] = None,
    concurrency: Annotated[int, typer.Option(metavar="C", help="Calls at the same time.")] = 1,
    seconds: Annotated[float | None, typer.Option(metavar="S", help="How long to measure, by default 10.")] = None,
    repeats: Annotated[int | None, typer.Option(metavar="R", help="How many rounds to measure instead.")] = None,
    providers: ProviderOption = None,
    trust: TrustOption = False,
    as_json: JsonOption = False,
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Measure what an explanation costs here, beside the forward pass alone."""
    with terminal.progress(f"measuring {artifact}") as report:
        from fgcompile.bench import bench
        from fgcompile.runtime.rehearsal import require_sound

        require_sound(artifact, providers, threads, trust)
        result = bench(
            artifact,
            batch=batch,
            threads=threads,
            concurrency=concurrency,
            seconds=seconds,
            repeats=repeats,
            providers=providers,
            trust=trust or None,
            report=report,
        )
    if as_json:
        terminal.print_json(result.as_dict())
    else:
        terminal.print_bench(result, artifact)
