"""Which judgements, in what order: one algorithm a file. What several of them share lies in the rooms below."""
