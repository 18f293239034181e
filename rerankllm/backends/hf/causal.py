"""Decoder-only models: prompts in batches, what they begin with in common computed once."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from rerankllm.backends.hf.batches import Limits, Row, plan


class Causal:
    """Logits of a decoder-only model.

    Rows are padded on the left, so that what is read is always at the end, and the head is computed there only.

    Args:
        model: A causal language model of transformers.
        pad: The id of any token; what is padded with it is masked.
        limits: Of a batch.
    """

    def __init__(self, model: Any, pad: int, limits: Limits) -> None:
        self._model = model
        self._pad = pad
        self._limits = limits
        self._takes = frozenset(inspect.signature(model.forward).parameters)
        self.shares = self._can_share()

    @staticmethod
    def row(prompt: tuple[int, ...], answer: tuple[int, ...]) -> Row:
        """What to compute to read the log-probabilities of a prompt's next token, and of those that follow it."""
        return Row(prompt + answer[:-1], read=max(len(answer), 1))

    def logits(self, rows: Sequence[Row]) -> Iterator[list[tuple[int, Any]]]:
        """Computes the rows, a batch after the other.

        Yields:
            For each row of a batch its index and its logits: a float tensor of shape (read, vocabulary).
        """
        for family in plan(rows, self._limits, share=self.shares):
            cache = self._prefix(rows[family.batches[0][0]].ids[: family.prefix]) if family.prefix else None
            for batch in family.batches:
                found = self._batch([rows[i] for i in batch], family.prefix, cache)
                yield [(i, found[place, -rows[i].read :]) for place, i in enumerate(batch)]

    def padded(self, sequences: Sequence[Sequence[int]], prefix: int = 0) -> dict[str, Any]:
        """Token ids and attention mask of these sequences, padded on the left, after `prefix` tokens in the cache."""
        import torch  # noqa: PLC0415

        width = max(map(len, sequences))
        ids = [[self._pad] * (width - len(one)) + list(one) for one in sequences]
        mask = [[1] * prefix + [0] * (width - len(one)) + [1] * len(one) for one in sequences]
        device = self._model.device
        return {
            "input_ids": torch.tensor(ids, device=device),
            "attention_mask": torch.tensor(mask, device=device),
        }

    def _batch(self, rows: Sequence[Row], prefix: int, cache: Any) -> Any:
        """Logits of shape (rows, positions read, vocabulary)."""
        import torch  # noqa: PLC0415

        read = max(row.read for row in rows)
        inputs = self.padded([row.ids[prefix:] for row in rows], prefix)
        if "position_ids" in self._takes:
            positions = inputs["attention_mask"].cumsum(-1) - 1
            inputs["position_ids"] = positions.clamp(min=0)[:, prefix:]
        if "logits_to_keep" in self._takes:
            inputs["logits_to_keep"] = read
        if cache is not None:
            inputs["past_key_values"] = self._expanded(cache, len(rows))
        with torch.inference_mode():
            return self._model(**inputs, use_cache=cache is not None).logits[:, -read:]

    def _prefix(self, ids: tuple[int, ...]) -> Any:
        """The keys and values of what a family begins with."""
        import torch  # noqa: PLC0415

        keep = {"logits_to_keep": 1} if "logits_to_keep" in self._takes else {}
        with torch.inference_mode():
            tokens = torch.tensor([ids], device=self._model.device)
            return self._model(input_ids=tokens, use_cache=True, **keep).past_key_values

    def _expanded(self, cache: Any, rows: int) -> Any:
        """A cache that holds the same for each of so many rows."""
        from transformers import DynamicCache  # noqa: PLC0415

        expanded = DynamicCache(config=self._model.config)
        for number, layer in enumerate(cache.layers):
            expanded.update(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1), number)
        return expanded

    def _can_share(self) -> bool:
        """Whether every layer's cache holds all that came before: no sliding windows, no recurrent states."""
        from transformers import DynamicCache  # noqa: PLC0415
        from transformers.cache_utils import DynamicLayer  # noqa: PLC0415

        if not {"past_key_values", "position_ids", "attention_mask"} <= self._takes:
            return False
        layers = DynamicCache(config=self._model.config).layers
        return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
