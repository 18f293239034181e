"""Models of late interaction: a vector for each token, and a score that compares every one with every other (ColBERT)."""
