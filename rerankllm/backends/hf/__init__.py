"""`hf:` — models in this process, through transformers."""
