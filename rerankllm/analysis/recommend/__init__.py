"""Which strategy to use for a budget and a model."""
