"""What an artifact says of itself, in words for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.filesize import decimal

from fgcompile.artifact.fitting import fit_of
from fgcompile.artifact.metadata import Metadata, TensorSpec, batch_axis, has_random_weights, stated_shape
from fgcompile.artifact.onnx_container import Beside

_PICTURE_RANK = 4
"""Of pictures: samples, channels, height and width."""


def everything(metadata: Metadata, digests: Mapping[str, str]) -> dict[str, str]:
    """All that ``inspect`` shows above the tables, by key."""
    return {
        **digests,
        "model": metadata["model"]["name"],
        "parameters": metadata["model"]["parameter_digest"],
        **explained(metadata),
        **weights(metadata),
        "format": format(metadata),
        **signature(metadata),
        **batch(metadata),
        "method": f"{metadata['method']}, psi {metadata['psi']}, rules {metadata['rules']}{terms(metadata)}",
        **choice(metadata),
        "target": str(metadata["target"]),
        **target(metadata),
        **(preprocess(metadata) or _unprepared(metadata)),
        **({"tokenizer": metadata["tokenizer"]["digest"]} if "tokenizer" in metadata else {}),
        **longest(metadata),
        **(labels(metadata) or {"labels": "none"}),
        "completeness": completeness(metadata),
        "made by": ", ".join(f"{name} {version}" for name, version in metadata["versions"].items()),
    }


def format(metadata: Metadata) -> str:
    """The name of an artifact's format."""
    names = {"onnx": "ONNX", "torchscript": "TorchScript", "pt2": "AOTInductor", "exported": "exported program"}
    return names.get(metadata["format"], metadata["format"])


def beside(found: Beside | None) -> dict[str, str]:
    """The file of weights beside it, where there is one."""
    return {} if found is None else {"weights beside": f"{found.name}, {found.digest}"}


def size(path: Path, weights: Path | None) -> str:
    """How large its file is, and that of its weights where there is one."""
    own = decimal(path.stat().st_size)
    return own if weights is None else f"{own}, and {decimal(weights.stat().st_size)} of weights in {weights.name}"


def signature(metadata: Metadata) -> dict[str, str]:
    """What its program takes and returns in a call."""
    return {
        key: ", ".join(f"{one['name']} {one['dtype']} {shape(stated_shape(one, metadata))}" for one in metadata[key])
        for key in ("inputs", "outputs")
    }


def completeness(metadata: Metadata) -> str:
    """How exactly its terms add up."""
    return f"terms add up to the score within {metadata['completeness']:.1e} of their magnitude (float64)"


def explained(metadata: Metadata) -> dict[str, str]:
    """Of a file, which tensor is explained."""
    explained = metadata["model"].get("explained")
    return {} if explained is None else {"explained": explained}


def choice(metadata: Metadata) -> dict[str, str]:
    """Which rules and ψ were chosen, and why."""
    choice = metadata.get("choice")
    return {} if choice is None else {"chosen": f"rules {metadata['rules']}, psi {metadata['psi']}: {choice}"}


def batch(metadata: Metadata) -> dict[str, str]:
    """How many samples its program takes in a call, where that is one number, and why."""
    if "batch" not in metadata:
        return {}
    why = "the model takes no free batch" if metadata["batch"]["alone"] else "as it was asked for"
    return {"batch": f"{metadata['batch']['size']} a call, {why}; a session takes any number, part after part"}


def weights(metadata: Metadata, way_out: str = "") -> dict[str, str]:
    """The dtype that its weights came in, where that is half precision; and whether they are random."""
    weights = metadata["model"].get("weights")
    known = [f"random, for lack of trained ones{way_out}"] if has_random_weights(metadata) else []
    known += [] if weights is None else [f"{weights}, computed in {metadata.get('precision', 'float32')}"]
    return {"weights": "; ".join(known)} if known else {}


def target(metadata: Metadata) -> dict[str, str]:
    """What is explained where that was fixed: a class with its name, ``7, circle``."""
    from fgcompile.artifact.elements import element_name

    fixed = metadata["target"]
    if fixed == "input":
        return {}
    name = f", {element_name((fixed,), metadata)}" if isinstance(fixed, int) and metadata["labels"] is not None else ""
    name = f", {metadata['score']}" if "score" in metadata else name
    return {"target": f"{fixed}{name}"}


def preprocess(metadata: Metadata) -> dict[str, str]:
    """How a photo becomes what the model takes, and who said so."""
    spec = metadata["preprocess"]
    if spec is None:
        return {}
    shape = metadata["inputs"][0].get("example", metadata["inputs"][0]["shape"])[1:3]
    mean, std = (", ".join(f"{value:.4g}" for value in spec[key]) for key in ("mean", "std"))
    order = ", blue first" if spec.get("order") == "bgr" else ""
    return {
        "normalised": f"mean {mean}, std {std} where white is 1{order}",
        "pictures": fit_of(spec).describe((int(shape[0]), int(shape[1]))),
        **({"read from": spec["origin"]} if "origin" in spec else {}),
    }


def _unprepared(metadata: Metadata) -> dict[str, str]:
    """Of an artifact whose input may be a picture, that it takes none."""
    from fgcompile.artifact.validation import input_specs

    pictured = any(len(spec["shape"]) == _PICTURE_RANK for spec in input_specs(metadata))
    return {"pictures": "none: it takes prepared arrays"} if pictured else {}


def tokenizer(metadata: Metadata) -> dict[str, str]:
    """That it reads texts, where it does."""
    return {"texts": "read by the tokenizer that it keeps"} if "tokenizer" in metadata else {}


def longest(metadata: Metadata) -> dict[str, str]:
    """How many tokens a text may have, where the model or its tokenizer ends somewhere."""
    from fgcompile.artifact.validation import input_specs, takes_tokens

    if not takes_tokens(metadata):
        return {}
    ends = [metadata["tokenizer"]["longest"]] if "longest" in metadata.get("tokenizer", {}) else []
    for spec in input_specs(metadata):
        if "input_ids" in spec["name"]:
            most = spec.get("largest", spec["shape"])[1 - batch_axis(spec)]
            ends += [most] if isinstance(most, int) else []
    return {"longest text": f"{min(ends)} tokens"} if ends else {}


def labels(metadata: Metadata) -> dict[str, str]:
    """How many names of classes it has, and the first of them."""
    names = metadata["labels"]
    if names is None:
        return {}
    return {"labels": f"{len(names)}: {'; '.join(names[:3])}{'; …' if len(names) > 3 else ''}"[:500]}


def sites(metadata: Metadata) -> str:
    """How many biases it has, by kind."""
    counts = Counter(term["kind"] for site in metadata["sites"] for term in site["terms"])
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    return f"{len(metadata['sites'])} with {sum(counts.values())} bias terms ({kinds})"


def spec(spec: TensorSpec) -> str:
    """A tensor in words, ``x float32 (batch, 3)``."""
    return f"{spec['name']} {spec['dtype']} {shape(spec['shape'])}"


def shape(shape: Sequence[int | str]) -> str:
    """A shape in brackets."""
    return f"({', '.join(map(str, shape))})"


def terms(metadata: Metadata) -> str:
    """Which terms the map has, where that is not all."""
    return ", terms of the model's own parameters" if metadata.get("terms") == "parameters" else ""
