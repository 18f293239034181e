"""`openai:` — models behind an OpenAI-compatible API."""
