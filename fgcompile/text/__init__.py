"""Texts in: what a tokenizer makes of them, which inputs of an artifact they fill, and what was found by word."""
