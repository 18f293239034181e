"""Experiments: a matrix of datasets, first stages, strategies, models and seeds, and the folder that holds one."""
