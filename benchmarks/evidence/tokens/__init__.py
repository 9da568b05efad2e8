"""Which rule set and ψ rank the tokens of a Transformer best: subjects, methods, and removal of tokens."""
