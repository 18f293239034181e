"""A server that speaks the rerank APIs which others speak; needs the extra `server`."""
