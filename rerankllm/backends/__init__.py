"""Who computes tokens or scores: one kind a file."""
