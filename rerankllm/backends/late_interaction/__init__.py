"""Models of late interaction (ColBERT): a vector for each token of a query and of a passage, compared by MaxSim."""
