"""Texts whose tokens are coloured by what they add: one page for a browser, and a picture of each."""
