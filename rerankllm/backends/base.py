"""What a backend of your own implements: another name for `rerankllm.calls`, where it is written down."""

from rerankllm.calls import *  # noqa: F403
