"""Why PyTorch cannot export a model, said in terms of the user's code."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fgcompile.compiler.capture.experts import ADVICE, is_of_experts
from fgcompile.compiler.capture.scored import unwrapped_name
from fgcompile.compiler.capture.trial import find_data_read
from fgcompile.compiler.capture.user_code import failing_layer, failing_line, is_of_package
from fgcompile.compiler.ir.torch_internals import (
    PendingUnbackedSymbolNotFound,
    depends_on_values,
    hooked_layer,
    makes_a_number,
    transforms_a_function,
)
from fgcompile.errors import first_line

OF_A_BUFFER = ", or let a plain attribute of the module hold what a buffer holds"
"""What to do where the value is no input's but the model's own."""


def explain_fixed_batch(name: str, place: str | None) -> str:
    """The message for a model that turns the size of the batch into a number, at ``place`` if that was found."""
    where = "" if place is None else f" at {place}"
    return (
        f"{name} fixes its batch size to a constant{where}, so an artifact could not serve other batches: write sizes "
        "as x.shape[0] or -1 instead of numbers or len(x), and replace an operator that needs them fixed"
    )


def of_a_number(where: str) -> str:
    """What is said of a value that is read as a number, behind who reads it."""
    return (
        f"reads a value{where} as a number of Python's, by .item(), float() or int(), which a graph has none for: "
        f"compute with the tensor itself{OF_A_BUFFER}"
    )


def explain_failure(model: nn.Module, name: str, error: Exception, examples: Sequence[Tensor] = ()) -> str:
    """The message for an export that failed, with the line and the layer that it was in.

    Args:
        model: The model.
        name: Its class.
        error: What PyTorch raised.
        examples: Inputs that the model runs with, to look for what no export survives.
    """
    place, layer = failing_line(error), failing_layer(model, error)
    where = "" if place is None else f" at {place}"
    if depends_on_values(error) and is_of_experts(layer):
        return f"'{layer}' of {name} chooses by values which experts to run{where}, which no graph does: {ADVICE}"
    if depends_on_values(error) and place is not None and place.is_assertion():
        return (
            f"{name} asserts something about values{where}, which a graph cannot stop at: leave the assert out, "
            "or put it behind 'if not torch.compiler.is_exporting()'"
        )
    if depends_on_values(error) and is_of_package(error, "torch.distributions"):
        return (
            f"{name} has a distribution check its arguments{where}, which a graph cannot stop at: give it "
            "validate_args=False"
        )
    if depends_on_values(error) and makes_a_number(error):
        return f"{name} {of_a_number(where)}"
    if depends_on_values(error):
        return (
            f"{name} has control flow that depends on values{where} and cannot be captured ({first_line(error)}): "
            f"replace it by torch.where{OF_A_BUFFER}"
        )
    if transforms_a_function(error):
        return (
            f"{name} applies a torch.autograd.Function under torch.vmap or another transform of torch.func{where}, "
            "where its backward cannot be kept: apply it to the whole batch, outside of the transform"
        )
    if isinstance(error, PendingUnbackedSymbolNotFound):
        return (
            f"{name} indexes by a mask beside integers{where}, so that a shape depends on values: index by the "
            "integers first and by the mask then, or keep the shape by torch.where"
        )
    return _explain_by_parts(model, name, error, examples) or (
        f"torch.export cannot capture {name}{where}: {first_line(error)}; "
        "see 'Troubleshooting' in PyTorch's export guide"
    )


def _explain_by_parts(model: nn.Module, name: str, error: Exception, examples: Sequence[Tensor]) -> str | None:
    """The message for a model that has, or does, what no export survives; None where nothing of the kind is known."""
    scripted = next((path for path, part in model.named_modules() if isinstance(part, torch.jit.ScriptModule)), None)
    if scripted is not None:
        return (
            f"torch.export cannot capture {name}, whose part '{unwrapped_name(scripted)}' is a traced or scripted "
            f"module of torch.jit ({first_line(error)}): put the nn.Module there that it was made from"
        )
    if hooked := hooked_layer(model):
        return (
            f"'{unwrapped_name(hooked)}' of {name} has a backward hook (register_full_backward_hook), which acts on "
            "gradients where no graph sees it: remove it while compiling, or change the gradient by a "
            "torch.autograd.Function"
        )
    if line := find_data_read(model, examples):
        return (
            f"{name} reads .data {line}, which takes a tensor out of the graph: write .detach() to end the gradient "
            "there, or leave it out"
        )
    return None
