"""What a user writes to name a strategy, an elicitation and a model."""
