"""Networks of the kinds that people have and that public reports are about, in their smallest forms."""
