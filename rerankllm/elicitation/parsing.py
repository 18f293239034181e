"""Reading answers. Every parser is total: any text gives an answer and a report, nothing raises.

How answers are read is in `rerankllm.elicitation.reading`; these are the functions for orders and single labels.
"""

from rerankllm.elicitation.reading.choice import parse_choice
from rerankllm.elicitation.reading.order import Parsed, parse_order
from rerankllm.elicitation.reading.thought import answer_part

__all__ = ["Parsed", "answer_part", "parse_choice", "parse_order"]
