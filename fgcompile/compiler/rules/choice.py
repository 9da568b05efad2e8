"""What ``"auto"`` stands for: the rule set and the post-processing ψ that fit a model.

The paper's, ``taylor`` and ``fullgrad``, but for models that normalise by their input's own statistics on the way to
the score: there true gradients cancel and ψ hides what is left (docs/transformers.md has the evidence).
"""

from __future__ import annotations

from dataclasses import replace

from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.request import Request
from fgcompile.compiler.rules.absorption import absorption, normalised_layers

AUTO = "auto"


def choose_rules(captured: CapturedProgram, request: Request) -> tuple[CapturedProgram, Request]:
    """The request with a rule set and a ψ in place of ``"auto"``, and the program with the reason.

    Args:
        captured: The captured program, before any rule set.
        request: What was asked for; what is not ``"auto"`` stays.
    """
    layers = normalised_layers(captured, request.output)
    rules, psi = request.rules, request.psi
    if rules == AUTO:
        rules = "libragrad" if layers else "taylor"
    if psi == AUTO:
        # Without the biases, as in simple_fullgrad, nothing adds up to the score: no sum to show by sign.
        signed = layers and rules != "taylor" and request.method != "simple_fullgrad"
        psi = "signed" if signed else "fullgrad"
    chosen = replace(request, rules=rules, psi=psi)
    choice = None
    if layers and AUTO in (request.rules, request.psi) and (rules, psi) != ("taylor", "fullgrad"):
        choice = f"{absorption(layers)}, at which true gradients cancel"
    return replace(captured, normalised=layers, choice=choice), chosen
