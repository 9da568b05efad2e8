"""``fgcompile compile``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fgcompile.artifact.file import read_artifact, weights_file
from fgcompile.artifact.names import DYNAMIC
from fgcompile.cli import terminal
from fgcompile.cli.arguments import (
    DEFAULT_INPUT,
    SCORES,
    choose_format,
    parse_fixed,
    parse_input,
    parse_layouts,
    parse_normalisation,
    parse_target,
    read_labels,
)
from fgcompile.cli.models import seeded_model
from fgcompile.cli.parameters import FixOption, SourceArgument, WeightsOption
from fgcompile.errors import InputError
from fgcompile.system.files import require_writable


def compile_(
    source: SourceArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Where to write the artifact.")],
    weights: WeightsOption = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="[NAME=]CxHxW",
            help=f"An input's shape without batch, {DEFAULT_INPUT} by default, or what a file says; 128:int64 for "
            "token ids; once for each, by position or by the name of the model's parameter.",
        ),
    ] = None,
    fix: FixOption = None,
    artifact_format: Annotated[
        str | None,
        typer.Option("--format", help="onnx, pt2 (AOTInductor) or torchscript (legacy); by default by OUT's suffix."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="A class, 'predicted', a difference of two logits as 3-5, a score of fgcompile.scores "
            f"({', '.join(SCORES)}) with what it takes, as Region:15,rows=0/40, Token:3,42 or "
            "Box.yolov8:3,candidate=none, or package.module:function of the output; by default the artifact takes the "
            "class, or an index for each axis of the output, as an input."
        ),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="So many elements of the output are explained in one call, or 'dynamic' for any number."
        ),
    ] = None,
    explained: Annotated[
        str | None,
        typer.Option(
            help="Which of several outputs is explained, by name or position; of an .onnx file any tensor, by name."
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="fullgrad, simple_fullgrad (no biases in the map) or smooth_fullgrad (noisy copies).")
    ] = "fullgrad",
    rules: Annotated[
        str,
        typer.Option(
            help="taylor: true gradients, as in the paper; libragrad: gates, attention weights and the scales of "
            "normalisations are constants; attnlrp: softmax keeps its Jacobian, products split evenly; auto: taylor, "
            "but libragrad where the model normalises by its own statistics."
        ),
    ] = "auto",
    psi: Annotated[
        str,
        typer.Option(
            help="How each term becomes a map: fullgrad, the authors'; grad-cam, pytorch-grad-cam's; signed, as it is; "
            "auto: fullgrad, but signed with the rules that auto takes for such a model."
        ),
    ] = "auto",
    terms: Annotated[
        str,
        typer.Option(
            help="Which enter the map: all, or parameters: without those of activations, as in the authors' code."
        ),
    ] = "all",
    outputs: Annotated[
        str,
        typer.Option(
            help="Separated by commas; also contributions, residual, input_gradient, bias_gradients, and "
            "model: its other outputs, by their names."
        ),
    ] = "logits,saliency",
    biases: Annotated[
        str, typer.Option(help="constants, or inputs: the artifact takes the bias parameters, by default as trained.")
    ] = "constants",
    layout: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LAYOUT", help="How an input's or site's axes lie over space, n the batch, as 'x=n h w c'."
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(help="One number a channel, separated by commas; the artifact then takes the raw uint8 photo."),
    ] = None,
    std: Annotated[str | None, typer.Option(help="As --mean, and only with it: x = (photo/255 - mean)/std.")] = None,
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help="Class names, one a line.")] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A text model's tokenizer.json, or its folder, which the artifact keeps, so that it takes texts; by "
            "default the one beside a model of Transformers.",
        ),
    ] = None,
    on_demand: Annotated[
        bool, typer.Option("--on-demand", help="Add an input 'explain': false returns the logits at a forward's price.")
    ] = False,
    precision: Annotated[
        str, typer.Option(help="float32; or float16 or bfloat16, in which the network then computes, for GPUs.")
    ] = "float32",
    dynamic_sizes: Annotated[
        bool | None,
        typer.Option(
            "--dynamic-sizes/--fixed-sizes",
            help="Height and width, or a length, are dynamic too: that of a text where no --input gives one.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where it is to be fast: cpu or cuda. A .pt2 runs there alone.")] = "cpu",
    external_data: Annotated[
        bool,
        typer.Option("--external-data", help="Put the weights beside it, in OUT.data; above 2 GiB they always are."),
    ] = False,
) -> None:
    """Compile a model into an artifact."""
    suffixed = choose_format(artifact_format, output)
    require_writable(output)
    fixed = parse_fixed(fix or [])
    shapes = [parse_input(text) for text in inputs or []]
    score = None if target is None else parse_target(target)
    count = None if targets is None else _parse_targets(targets)
    layouts = parse_layouts(layout or [])
    names = None if labels is None else read_labels(labels)
    channels = parse_normalisation(mean, std)
    # Texts, which `compile` checks.
    named: dict[str, Any] = {
        "format": suffixed,
        "method": method,
        "psi": psi,
        "rules": rules,
        "terms": terms,
        "biases": biases,
        "precision": precision,
        "device": device,
    }
    with terminal.progress(f"compiling {source}") as report:
        from fgcompile import Preprocess, compile
        from fgcompile.cli.configured import configured_shapes, takes_text
        from fgcompile.cli.examples import example_inputs
        from fgcompile.cli.tokenizer import find_tokenizer

        report("load")
        chosen = int(explained) if explained is not None and explained.isdigit() else explained
        model = seeded_model(source, weights, chosen, fixed, "model" in outputs.split(","))
        if dynamic_sizes is None:
            dynamic_sizes = not shapes and takes_text(configured_shapes(model))
        artifact = compile(
            model,
            example_inputs(model, shapes, layouts),
            target=score,
            targets=count,
            output=chosen,
            outputs=tuple(outputs.split(",")),
            layouts=layouts,
            preprocess=None if channels is None else Preprocess(mean=channels[0], std=channels[1]),
            dynamic_sizes=dynamic_sizes,
            on_demand=on_demand,
            external_data=external_data,
            labels=names,
            tokenizer=find_tokenizer(tokenizer, source, model, shapes),
            progress=report,
            **named,
        )
        artifact.save(output)
    from fgcompile.cli.next_steps import commands, python_calls

    content, metadata = read_artifact(output)
    weights = weights_file(content, metadata, output)
    terminal.print_summary(metadata, output, weights, python_calls(metadata), commands(metadata, output))


def _parse_targets(text: str) -> Any:
    """A number of targets, or ``dynamic``."""
    if text == DYNAMIC:
        return text
    try:
        return int(text)
    except ValueError:
        raise InputError(f"--targets {text}: give a whole number, or '{DYNAMIC}' for any number of targets") from None
