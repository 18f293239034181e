"""Many answers, one order: one rule a file."""
