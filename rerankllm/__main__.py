"""`python -m rerankllm`: the command line."""

from rerankllm.cli import main

main()
