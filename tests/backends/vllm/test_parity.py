"""transformers and vLLM tell the same of the same weights, in float32."""

import packaged_model
import pytest

from rerankllm.analysis.parity import parity, sample_questions

TOLERANCE = 5e-4  # nats


@pytest.fixture(scope="module")
def rows():
    folder = packaged_model.converted()
    vllm = f"vllm:{folder}?dtype=float32&max_model_len=1024&enforce_eager=true&kv_cache_memory_bytes={64 << 20}"
    compared = parity(f"hf:{folder}?dtype=float32", vllm, sample_questions(2, 5))
    return {(row.elicitation, row.judgement): row for row in compared}


@pytest.mark.parametrize("judgement", ["Score", "Compare", "Permute"])
def test_labels(rows, judgement):
    row = rows["labels", judgement]
    assert row.same_prompt == row.same_first == row.calls > 0
    assert row.largest < TOLERANCE


def test_likelihoods(rows):
    assert rows["likelihood", "Score"].largest < TOLERANCE
