"""`vllm:` — models in this process, through vLLM's engine."""
