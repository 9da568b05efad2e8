"""Why PyTorch cannot export a model, said in terms of the user's code."""

from __future__ import annotations

import torch
from torch import nn

from fgcompile.compiler.capture.experts import ADVICE, is_of_experts
from fgcompile.compiler.capture.user_code import failing_layer, failing_line
from fgcompile.compiler.ir.torch_internals import depends_on_values, transforms_a_function
from fgcompile.errors import first_line


def explain_fixed_batch(name: str, place: str | None) -> str:
    """The message for a model that turns the size of the batch into a number, at ``place`` if that was found."""
    where = "" if place is None else f" at {place}"
    return (
        f"{name} fixes its batch size to a constant{where}, so an artifact could not serve other batches: write sizes "
        "as x.shape[0] or -1 instead of numbers or len(x), and replace an operator that needs them fixed"
    )


def explain_failure(model: nn.Module, name: str, error: Exception) -> str:
    """The message for an export that failed, with the line and the layer that it was in."""
    place, layer = failing_line(error), failing_layer(model, error)
    where = "" if place is None else f" at {place}"
    if depends_on_values(error) and is_of_experts(layer):
        return f"'{layer}' of {name} chooses by values which experts to run{where}, which no graph does: {ADVICE}"
    if depends_on_values(error) and place is not None and place.is_assertion():
        return (
            f"{name} asserts something about values{where}, which a graph cannot stop at: leave the assert out, "
            "or put it behind 'if not torch.compiler.is_exporting()'"
        )
    if depends_on_values(error):
        return (
            f"{name} has control flow that depends on values{where} and cannot be captured ({first_line(error)}): "
            "replace it by torch.where"
        )
    if transforms_a_function(error):
        return (
            f"{name} applies a torch.autograd.Function under torch.vmap or another transform of torch.func{where}, "
            "where its backward cannot be kept: apply it to the whole batch, outside of the transform"
        )
    scripted = next((path for path, part in model.named_modules() if isinstance(part, torch.jit.ScriptModule)), None)
    if scripted is not None:
        return (
            f"torch.export cannot capture {name}, whose part '{scripted}' is a traced or scripted module of torch.jit "
            f"({first_line(error)}): put the nn.Module there that it was made from"
        )
    return (
        f"torch.export cannot capture {name}{where}: {first_line(error)}; "
        "see 'Troubleshooting' in PyTorch's export guide"
    )
