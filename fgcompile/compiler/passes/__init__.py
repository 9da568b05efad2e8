"""Rewrites of graphs that keep what they compute; one pass a file, its docstring is the rewrite."""
