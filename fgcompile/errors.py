"""What can go wrong, by whose hand: one small class for each kind of mistake a user can act on."""


class FgcompileError(Exception):
    """Base class of every error that fgcompile raises on purpose: one line, what is wrong and what to do."""


class SourceError(FgcompileError):
    """The model's source cannot be imported or built, is not a module, or the weights do not fit it."""


class CaptureError(FgcompileError):
    """The model cannot be captured as one graph: training mode, control flow, or dependence on the batch."""


class UnsupportedOpError(FgcompileError):
    """An operator has no row in a table and no derivative to fall back on, or no lowering for a back end."""


class ScoreError(FgcompileError):
    """The explained score is not one scalar per sample that depends on the input."""


class InputError(FgcompileError):
    """An input has the wrong rank, size, dtype or values; a target or an option is out of its range."""


class ArtifactError(FgcompileError):
    """An artifact is damaged, of a newer schema, or not one of fgcompile's."""


class MissingPackageError(FgcompileError):
    """A package that this call needs, and that is not among the base dependencies, is not installed."""


class VerificationError(FgcompileError):
    """A compiled program or artifact does not compute what the eager model computes."""


class CompilerError(FgcompileError):
    """A pass of the compiler failed, or broke what it has to keep: a fault of fgcompile, which names the pass."""


class OutputError(FgcompileError):
    """A result cannot be written where, or in the format that, it was asked for."""


class RulesWarning(UserWarning):
    """The chosen rules attribute little of the score to the input: names the layer, and the rules to choose instead."""


class LayoutWarning(UserWarning):
    """Layers between others over the input have no place there, so that no map has their terms: names them."""


class CaptureWarning(UserWarning):
    """The model was captured otherwise than it was given: says what was left out, and how to do so yourself."""


class WeightsWarning(UserWarning):
    """Weights were read under other names than the file has: says which."""


class TargetWarning(UserWarning):
    """A class is named by the beginning of its name alone: says which one that is."""


class NonFiniteWarning(UserWarning):
    """Finite inputs gave NaN or infinity, as where float32 overflows: names the output, and how many values."""


def first_line(error: BaseException) -> str:
    """What an error of another library says first, to be quoted in a message of ours; its class if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".:") if lines else type(error).__name__
