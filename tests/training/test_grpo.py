"""TRL's trainer takes the rewards: a few steps on a tiny model that can only write one of two labels."""

import math

import pytest
import tiny_models
from needs import needs

from rerankllm.data import Document, Query
from rerankllm.training import rewards
from rerankllm.training.teacher import TeacherList

needs("datasets", "torch", "trl", extra="train")
LABELS = ("1", "2")
IDEAL = 10 + 9 / math.log2(3)
"""The gain of the right order: the better document has the grade 10, the other 9."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_few_steps_of_grpo_move_the_weights_by_the_rewards(tmp_path):
    import datasets
    import torch
    import transformers
    import trl

    base = str(tiny_models.qwen3(tmp_path / "qwen", head="ForCausalLM", positions=1024))
    documents = (Document("good", "fleas live two weeks"), Document("bad", "dogs bark"))
    lists = [TeacherList(Query(f"q{i}", f"how long do fleas {i} live"), documents, None, ("bad", "good"))
             for i in range(4)]  # fmt: skip
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    can = {tokenizer.encode(label)[0] for label in LABELS}
    seen, ndcg = [], rewards.for_trl("ndcg")

    def watched(**given):
        found = ndcg(**given)
        seen.extend(zip(given["completions"], given["doc_ids"], found, strict=True))
        return found

    watched.__name__ = "ndcg"
    trainer = trl.GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=[watched, *(rewards.for_trl(name) for name in ("form", "recall", "overlap"))],
        train_dataset=datasets.Dataset.from_list(rewards.rows(lists, prompt="text")),
        args=trl.GRPOConfig(
            str(tmp_path / "out"),
            per_device_train_batch_size=8,
            num_generations=4,
            max_completion_length=1,
            temperature=10.0,  # or every answer to a prompt is the same, and none is better than another
            max_steps=3,
            learning_rate=0.01,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            generation_kwargs={"suppress_tokens": [i for i in range(model.config.vocab_size) if i not in can]},
        ),
    )
    before = {name: weights.detach().clone() for name, weights in model.named_parameters()}
    trainer.train()
    assert len(seen) == 24
    for completion, shown, reward in seen:
        named = shown[LABELS.index(completion[-1]["content"])]
        assert reward == pytest.approx((10 if named == "good" else 9) / IDEAL)
    logged = [entry for entry in trainer.state.log_history if "rewards/form/mean" in entry]
    assert len(logged) == 3
    assert all(entry["rewards/form/mean"] == 0 for entry in logged)  # one label of two had to be repaired
    assert len({reward for *_, reward in seen}) == 2
    moved = [name for name, weights in trainer.model.named_parameters() if not torch.equal(weights.cpu(), before[name])]
    assert moved
