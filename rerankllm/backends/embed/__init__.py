"""`embed:` — embeddings, computed here or behind an API, compared by their cosine."""
