"""Random networks by kind: what people write that graphs of operators alone do not have."""
