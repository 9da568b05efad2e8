"""The Open Inference Protocol, version 2: requests of REST and gRPC as arrays, arrays as answers.

What a client sends is measured before it is parsed (``json_bounds``, ``wire_bounds``): its size, its depth, how many
values it has. The tensors' values are cut out, so that what a library parses at once is small, and read piece by piece,
so that no step keeps Python's lock for long.
"""
