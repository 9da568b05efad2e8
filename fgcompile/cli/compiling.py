"""``fgcompile compile``: its options, read into a ``Job`` before torch is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fgcompile.artifact.combinations import FUNCTION, require_consistent
from fgcompile.artifact.names import DYNAMIC
from fgcompile.cli import choices, terminal
from fgcompile.cli.arguments import (
    DEFAULT_INPUT,
    choose_format,
    parse_fixed,
    parse_input,
    parse_layouts,
    read_labels,
    read_target,
)
from fgcompile.cli.building import Job
from fgcompile.cli.making import build_recipes, run
from fgcompile.cli.parameters import FixOption, JsonOption, QuietOption, VerboseOption, WeightsOption
from fgcompile.cli.paths import require_tokenizer
from fgcompile.cli.pictures import parse_wanted
from fgcompile.cli.score_names import SCORES, NamedScore
from fgcompile.cli.source_names import FORMS, read_name, require_kept, require_there
from fgcompile.errors import InputError
from fgcompile.system.files import require_writable

_EXPLAINED = "What is explained, as --target 281 --rules libragrad"
_PICTURES = "Pictures and classes, as --mean 0.5,0.5,0.5 --std 0.5,0.5,0.5 --fit squash --labels names.txt"
_ARTIFACT = "The artifact, as --outputs logits,saliency,contributions --on-demand"
_RECIPES = "Recipes, as --recipe resnet --force"
_WITHOUT = "by default what the source says of its weights"


def compile_(
    context: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help=f"The model: {FORMS}; with arguments as name?key=value.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Where to write the artifact.")
    ] = None,
    weights: WeightsOption = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="[NAME=]CxHxW",
            help=f"An input's shape without batch, by default what the source says, or {DEFAULT_INPUT}; 128:int64 for "
            "token ids; once for each, by position or by the name of the model's parameter.",
        ),
    ] = None,
    fix: FixOption = None,
    bare: Annotated[
        bool,
        typer.Option(
            "--bare", help="Take the network of the source alone: no normalisation, size, crop or names of classes."
        ),
    ] = False,
    artifact_format: Annotated[
        choices.Format | None,
        typer.Option(
            "--format",
            rich_help_panel=_ARTIFACT,
            help="pt2: AOTInductor; exported: an nn.Module; by OUT's suffix.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_EXPLAINED,
            help="A class, by its number or its name, 'predicted', a difference of two logits as 3-5, a score of "
            f"fgcompile.scores ({', '.join(SCORES)}) with what it takes, as Region:15,rows=0/40, Token:3,42 or "
            "Box.yolov8:3,candidate=none, or package.module:function of the output; by default the artifact takes the "
            "class, or an index for each axis of the output, as an input.",
        ),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_EXPLAINED,
            metavar="T",
            help="So many elements of the output are explained in one call, or 'dynamic' for any number.",
        ),
    ] = None,
    explained: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_EXPLAINED,
            help="Which of several outputs is explained, by name or position; of an .onnx file any tensor, by name.",
        ),
    ] = None,
    method: Annotated[
        choices.Method,
        typer.Option(
            rich_help_panel=_EXPLAINED,
            help="simple_fullgrad has no biases in the map, smooth_fullgrad noisy copies of the input.",
        ),
    ] = "fullgrad",
    rules: Annotated[
        choices.Rules,
        typer.Option(
            rich_help_panel=_EXPLAINED,
            help="taylor: true gradients, as in the paper; libragrad: gates, attention weights and the scales of "
            "normalisations are constants; attnlrp: softmax keeps its Jacobian, products split evenly; auto: taylor, "
            "but libragrad where the model normalises by its own statistics.",
        ),
    ] = "auto",
    psi: Annotated[
        choices.Psi,
        typer.Option(
            rich_help_panel=_EXPLAINED,
            help="How each term becomes a map: fullgrad, the authors'; grad-cam, pytorch-grad-cam's; signed, as it is; "
            "auto: fullgrad, but signed with the rules that auto takes for such a model.",
        ),
    ] = "auto",
    terms: Annotated[
        choices.Terms,
        typer.Option(
            rich_help_panel=_EXPLAINED,
            help="Which enter the map: all, or parameters: without those of activations, as in the authors' code.",
        ),
    ] = "all",
    outputs: Annotated[
        str,
        typer.Option(
            rich_help_panel=_ARTIFACT,
            metavar="NAME,…",
            help=f"Of {', '.join(choices.OUTPUTS)}; model: its other outputs, by their names.",
        ),
    ] = "logits,saliency",
    biases: Annotated[
        choices.Biases,
        typer.Option(
            rich_help_panel=_ARTIFACT, help="inputs: the artifact takes the bias parameters, by default as trained."
        ),
    ] = "constants",
    layout: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=_ARTIFACT,
            metavar="NAME=LAYOUT",
            help="How an input's or site's axes lie over space, n the batch, as 'x=n h w c'.",
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_PICTURES,
            metavar="A,B,C",
            help=f"One number a channel, or one for all; the artifact then takes the raw uint8 photo; {_WITHOUT}.",
        ),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_PICTURES,
            metavar="A,B,C",
            help="As --mean, and only with it: x = (photo/255 - mean)/std, in the model's order of channels.",
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_PICTURES,
            metavar="BLACK,WHITE",
            help="What black and white are to the model, or on the scale of --mean: 0,1 by default, 0,255 or "
            "--scale=-1,1. Alone: no other normalisation.",
        ),
    ] = None,
    order: Annotated[
        choices.Order | None,
        typer.Option(
            rich_help_panel=_PICTURES,
            help=f"Of the model's channels, and of --mean: bgr takes blue first, as Caffe's do; {_WITHOUT}.",
        ),
    ] = None,
    fit: Annotated[
        choices.FitMode | None,
        typer.Option(
            rich_help_panel=_PICTURES,
            help=f"How pictures of other sizes become the artifact's; {_WITHOUT}, or crop.",
        ),
    ] = None,
    resize: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_PICTURES,
            metavar="SIDE|HxW",
            help=f"What pictures are resized to before the centre is taken; {_WITHOUT}, or so that 224/256 are kept.",
        ),
    ] = None,
    interpolation: Annotated[
        choices.Interpolation | None,
        typer.Option(rich_help_panel=_PICTURES, help=f"How they are resized; {_WITHOUT}, or bicubic."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(rich_help_panel=_PICTURES, metavar="FILE", help=f"Class names, one a line; {_WITHOUT}."),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_PICTURES,
            metavar="FILE",
            help="A text model's tokenizer.json, or its folder, which the artifact keeps, so that it takes texts; by "
            "default the one beside a model of Transformers.",
        ),
    ] = None,
    on_demand: Annotated[
        bool,
        typer.Option(
            "--on-demand",
            rich_help_panel=_ARTIFACT,
            help="Add an input 'explain': false returns the logits at a forward's price.",
        ),
    ] = False,
    precision: Annotated[
        choices.Precision,
        typer.Option(rich_help_panel=_ARTIFACT, help="What the network computes in; the halves are for GPUs."),
    ] = "float32",
    batch: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=_ARTIFACT,
            metavar="N",
            min=1,
            help="Samples of a call, by default any number; 1 for a model that takes no free batch, as one that loops.",
        ),
    ] = None,
    dynamic_sizes: Annotated[
        bool | None,
        typer.Option(
            "--dynamic-sizes/--fixed-sizes",
            rich_help_panel=_ARTIFACT,
            help="Height and width, or a length, are dynamic too: that of a text where no --input gives one.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        choices.Device,
        typer.Option(rich_help_panel=_ARTIFACT, help="Where it is to be fast. A .pt2 runs there alone."),
    ] = "cpu",
    external_data: Annotated[
        bool,
        typer.Option(
            "--external-data",
            rich_help_panel=_ARTIFACT,
            help="Put the weights beside it, in OUT.data; above 2 GiB they always are.",
        ),
    ] = False,
    recipe: Annotated[
        list[str] | None,
        typer.Option(rich_help_panel=_RECIPES, metavar="NAME", help="One of the TOML's alone; once for each."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", rich_help_panel=_RECIPES, help="Also those that are as they were.")
    ] = False,
    as_json: JsonOption = False,
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Compile a model into an artifact; without SOURCE and OUT all recipes of a TOML that changed."""
    if source is None and output is None:
        build_recipes(context, recipe or [], force, as_json)
        return
    if source is None or output is None:
        missing = "SOURCE" if source is None else "-o OUT"
        raise InputError(f"{missing} is missing: fgcompile compile torchvision:resnet18 -o resnet18.onnx")
    if recipe or force:
        raise InputError("--recipe and --force are for the recipes of a TOML, without SOURCE and OUT")
    suffixed = choose_format(artifact_format, output)
    require_writable(output)
    options: dict[str, Any] = {
        "format": suffixed,
        "method": method,
        "psi": psi,
        "rules": rules,
        "terms": terms,
        "biases": biases,
        "precision": precision,
        "device": device,
        "outputs": choices.parse_outputs(outputs),
        "on_demand": on_demand,
        "external_data": external_data,
        "batch": batch,
        "targets": None if targets is None else _parse_targets(targets),
    }
    job = Job(
        source=read_name(source),
        output=output,
        weights=weights,
        bare=bare,
        shapes=[parse_input(text) for text in inputs or []],
        fixed=parse_fixed(fix or []),
        explained=int(explained) if explained is not None and explained.isdigit() else explained,
        layouts=parse_layouts(layout or []),
        pictures=parse_wanted((mean, std), scale, order, (fit, resize, interpolation)),
        labels=None if labels is None else read_labels(labels),
        labels_file=labels,
        tokenizer=tokenizer,
        dynamic_sizes=dynamic_sizes,
        target=None if target is None else read_target(target),
        target_text=target,
        options=options,
    )
    require_consistent({**options, "target": FUNCTION if callable(job.target) else job.target})
    if job.labels is not None:
        from fgcompile.artifact.wishes import class_of

        class_of(job.target, job.labels)  # which a source's are not known for yet
        if isinstance(job.target, NamedScore):
            job.target.require_classes(job.labels)
    if fix and not (job.source.is_file and source.endswith(".onnx")):
        raise InputError(
            f"--fix {fix[0]}: only an .onnx file has inputs to fix, and {source} is none: leave it out, or give it to "
            "your own code, SOURCE?key=value"
        )
    require_there(job.source, weights)
    require_tokenizer("--tokenizer", tokenizer)
    require_kept(output, Path(job.source.name) if job.source.is_file else None, weights, labels, tokenizer)
    if isinstance(context.obj, list):  # a recipe, which is only read
        context.obj.append(job)
        return
    made = run(job)
    if as_json:
        terminal.print_json(made.as_dict())
    else:
        made.show()


def _parse_targets(text: str) -> Any:
    """A number of targets, or ``dynamic``."""
    if text == DYNAMIC:
        return text
    try:
        return int(text)
    except ValueError:
        raise InputError(f"--targets {text}: give a whole number, or '{DYNAMIC}' for any number of targets") from None
