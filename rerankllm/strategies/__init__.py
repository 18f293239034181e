"""Which judgements, in what order: one algorithm a file."""
