"""What texts that were written to rise do to a ranking."""
