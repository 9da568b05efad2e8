"""The eager full-gradient as one function of tensors, which ``torch.compile`` can take whole."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fgcompile.demo.eager_fullgrad import fullgrad_reference, layer_bias, layer_map


class FunctionalFullGrad:
    """The authors' algorithm with ``δ_l = ∂f/∂o_l`` for zero offsets o_l added to each layer's output.

    ``fullgrad_reference`` registers hooks and calls autograd while it runs, which Dynamo does not trace. Here the hooks
    are registered once, beforehand, and add the offsets; the gradient is ``torch.func.grad``'s. Values are the same.
    """

    def __init__(self, network: nn.Module, x: Tensor, target: Tensor) -> None:
        reference = fullgrad_reference(network, x, target)
        self._shapes = [delta.shape for delta, _ in reference.terms.values()]
        self._biases = [bias for _, bias in reference.terms.values()]
        self._offsets: list[Tensor] = []
        self._network = network
        for module in network.modules():
            if layer_bias(module) is not None:
                module.register_forward_hook(self._add_offset)

    def __call__(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The logits (N, K) and the map (N, 1, *spatial) at an input of the shape given before."""
        offsets = [x.new_zeros(shape) for shape in self._shapes]
        (gradient, deltas), logits = torch.func.grad(self._score, argnums=(0, 1), has_aux=True)(x, offsets, target)
        saliency = layer_map(gradient * x, x.shape[2:])
        for delta, bias in zip(deltas, self._biases, strict=True):
            if delta.dim() == x.dim():
                saliency = saliency + layer_map(delta * bias, x.shape[2:])
        return logits, saliency

    def _score(self, x: Tensor, offsets: list[Tensor], target: Tensor) -> tuple[Tensor, Tensor]:
        self._offsets.extend(offsets)
        logits: Tensor = self._network(x.clone())  # a clone, lest the first layer work in place on the argument
        return logits.gather(1, target.view(-1, 1)).sum(), logits

    def _add_offset(self, module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output + self._offsets.pop(0)
