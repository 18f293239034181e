"""Encoder-decoder models: the prompt in the encoder, the answer in a decoder that starts with nothing else."""

from collections.abc import Iterator, Sequence
from typing import Any

from rerankllm.backends.hf.batches import Limits, Row, batches


class Seq2Seq:
    """Logits of an encoder-decoder model.

    Attributes:
        computed: Tokens computed so far, padding included.
        packing: How rows are computed together, and why.

    Args:
        model: A sequence-to-sequence model of transformers.
        pad: The id of any token; what is padded with it is masked.
        limits: Of a batch.
        eos: What a prompt ends with; appended here.
        start: The decoder's first token.
    """

    packing = "padded: it has an encoder"

    def __init__(self, model: Any, pad: int, limits: Limits, *, eos: tuple[int, ...], start: int) -> None:
        self._model = model
        self._pad = pad
        self._limits = limits
        self._eos = eos
        self._start = start
        self.computed = 0

    def row(self, prompt: tuple[int, ...], answer: tuple[int, ...]) -> Row:
        """What to compute to read the log-probabilities of an answer's first token, and of those that follow it."""
        return Row(prompt, max(len(answer), 1), decoded=(self._start, *answer[:-1]))

    def logits(self, rows: Sequence[Row]) -> Iterator[list[tuple[int, Any]]]:
        """Computes the rows, a batch after the other.

        Yields:
            For each row of a batch its index and its logits: a float tensor of shape (read, vocabulary).
        """
        import torch  # noqa: PLC0415

        for batch in batches(rows, self._limits):
            width = max(rows[i].read for i in batch)
            decoded = [[*rows[i].decoded, *[self._pad] * (width - rows[i].read)] for i in batch]
            inputs = self.padded([rows[i].ids for i in batch])
            self.computed += inputs["input_ids"].numel() + len(batch) * width
            with torch.inference_mode():
                found = self._model(
                    **inputs, decoder_input_ids=torch.tensor(decoded, device=self._model.device), use_cache=False
                ).logits
            yield [(i, found[place, : rows[i].read]) for place, i in enumerate(batch)]

    @staticmethod
    def padding(limits: Limits) -> Limits:
        """Limits of a padded batch: these, as an encoder masks what is padded."""
        return limits

    def padded(self, prompts: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Token ids and attention mask of these prompts with their last token, padded on the right."""
        import torch  # noqa: PLC0415

        sequences = [(*prompt, *self._eos) for prompt in prompts]
        width = max(map(len, sequences))
        ids = [[*one, *[self._pad] * (width - len(one))] for one in sequences]
        mask = [[1] * len(one) + [0] * (width - len(one)) for one in sequences]
        device = self._model.device
        return {"input_ids": torch.tensor(ids, device=device), "attention_mask": torch.tensor(mask, device=device)}
