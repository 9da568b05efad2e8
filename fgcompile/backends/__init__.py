"""Back ends: each is one function from a fused program to the bytes of an artifact."""
