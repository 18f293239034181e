"""An HTTP server with the rerank APIs of Cohere, Jina, vLLM and others; needs the extra `server`."""
