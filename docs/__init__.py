"""The documents, and the scripts that make those which follow from the code."""
