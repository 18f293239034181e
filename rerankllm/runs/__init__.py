"""One run of a reranker over many queries: its source, its output, its cost and provenance."""
