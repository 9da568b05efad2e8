"""Whether the numbers are right: of known networks, of random graphs, in half precision."""
