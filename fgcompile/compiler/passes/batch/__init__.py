"""The batch of an artifact as one number: what is emitted of it, once a graph has been checked."""
