"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fgcompile.cli import choices, console

ArtifactArgument = Annotated[Path, typer.Argument(metavar="ARTIFACT", help="A compiled artifact.")]
WeightsOption = Annotated[Path | None, typer.Option(metavar="FILE", help="A state dict: .safetensors or .pt.")]
FixOption = Annotated[
    list[str] | None,
    typer.Option("--fix", metavar="NAME=NUMBER", help="An input of an .onnx file that is a constant, as sr=16000."),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", callback=console.set_quiet, help="Show errors and what was asked for alone."),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", callback=console.set_verbose, help="Also how long each stage took; of an error, where."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TextsOption = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="TEXT", help="A text, though a file or folder is called so, or it ends in .txt."),
]
FilesOption = Annotated[list[Path] | None, typer.Option("--file", metavar="FILE", help="A file of texts, one a line.")]
PairsOption = Annotated[bool, typer.Option("--pairs", help="Each text is two, with a tab between them.")]
ContinuationOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What a language model is asked to go on with, as ' dull'.")
]
TargetOption = Annotated[
    str | None,
    typer.Option(
        help="The class to explain, by number or name, by default the predicted one; of outputs of more axes an "
        "index for each, as cat,40,31, -1 for the largest; of a text's tokens WORD,CLASS."
    ),
]
ProviderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="OpenVINO, or an execution provider of ONNX Runtime, as CUDAExecutionProvider; once for each, best first. "
        "Of TorchScript: cuda.",
    ),
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Load TorchScript or .pt2, which are code, under any name, without trying it in another process first.",
    ),
]
_PICTURES = "Pictures, as --fit squash --window 0,4095 --background black"
WindowOption = Annotated[
    str | None,
    typer.Option(
        metavar="LOW,HIGH",
        rich_help_panel=_PICTURES,
        help="The files' values that are black and white, by default what they say.",
    ),
]
BackgroundOption = Annotated[
    str,
    typer.Option(metavar="COLOR", rich_help_panel=_PICTURES, help="Behind transparent pictures: a name, or '#rrggbb'."),
]
PageOption = Annotated[
    int,
    typer.Option(metavar="N", rich_help_panel=_PICTURES, help="The page of a TIFF, the frame of GIF or DICOM, from 1."),
]
MaxPixelsOption = Annotated[
    int,
    typer.Option(metavar="N", rich_help_panel=_PICTURES, help="Larger pictures, by width times height, are not read."),
]
FittingOption = Annotated[
    choices.Fitting | None,
    typer.Option(
        rich_help_panel=_PICTURES,
        help="How pictures of other sizes are given to the artifact, by default as it says; whole: as they are, to "
        "one of dynamic sizes; tile: in tiles of its size, whose maps are stitched.",
    ),
]
