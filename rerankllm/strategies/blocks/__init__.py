"""Which documents are shown together."""
