"""A graph held to the checkpoint it was made from, as transformers runs that. Owns the text, the measures, the bounds and the report."""
