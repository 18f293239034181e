"""The only I/O: how the judgements of many queries get answered."""
