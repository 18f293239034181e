"""Who computes tokens or scores: one kind a file, or a folder where it takes several."""
