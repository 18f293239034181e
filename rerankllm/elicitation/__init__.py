"""How a model answers one judgement: one way a file."""
