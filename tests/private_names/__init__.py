"""Names that other libraries do not promise to keep: where they stand, and that each still works.

An upgrade that takes one away fails here, and is mended in the one file of its library.
"""
