"""Decoder-only models: prompts packed where the model's attention allows it, else padded."""

import inspect
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rerankllm.backends.hf import attention
from rerankllm.backends.hf.batches import Limits, Row, batches
from rerankllm.backends.hf.packed_runner import PackedRunner
from rerankllm.backends.hf.split import halves
from rerankllm.backends.hf.threads import AtOnce, K, V

log = logging.getLogger(__name__)
CHUNK = 1024
"""Tokens that each core computes at a time: enough for matrix products, and few enough for its caches."""


class Causal:
    """Logits of a decoder-only model; the head is computed only where it is read.

    Attributes:
        reach: Tokens of the longest row that can be packed; 0 where none can.

    Args:
        model: A causal language model of transformers.
        pad: The id of any token; what is padded with it is masked.
        limits: Of a batch.
        cache: Bytes of keys and values that are remembered of what was computed.
    """

    def __init__(self, model: Any, pad: int, limits: Limits, cache: int = 0) -> None:
        self._model = model
        self._pad = pad
        self._limits = limits
        cores = _cores(model.device)
        enough = CHUNK * max(cores // 2, 1) if cores else 2**62
        self._lanes = [PackedRunner(model, enough) for _ in range(2 if cores > 1 else 1)]
        self._at_once = AtOnce((cores - cores // 2, cores // 2)) if cores > 1 else None
        self._takes = frozenset(inspect.signature(model.forward).parameters)
        self._padded = 0
        self.reach = _reach(model.config.get_text_config()) if self._packs() else 0
        room = cache // (len(self._lanes) * max(lane.bytes_a_token for lane in self._lanes)) if self.reach else 0
        for lane in self._lanes:
            lane.forget(room)
            lane.computed = 0
        self._padded = 0

    @property
    def computed(self) -> int:
        """Tokens computed so far, padding included."""
        return self._padded + sum(lane.computed for lane in self._lanes)

    @staticmethod
    def row(prompt: tuple[int, ...], answer: tuple[int, ...]) -> Row:
        """What to compute to read the log-probabilities of a prompt's next token, and of those that follow it."""
        return Row(prompt + answer[:-1], read=max(len(answer), 1))

    def logits(self, rows: Sequence[Row]) -> Iterator[list[tuple[int, Any]]]:
        """Computes the rows, some after the others.

        Yields:
            For each row that is done its index and its logits: a float tensor of shape (read, vocabulary).
        """
        packed = [i for i, row in enumerate(rows) if len(row.ids) <= self.reach]
        padded = [i for i, row in enumerate(rows) if len(row.ids) > self.reach]
        if packed:
            for found in self._packed([rows[i] for i in packed], self._limits):
                yield [(packed[place], logits) for place, logits in found]
        for batch in batches([rows[i] for i in padded], self._limits):
            found = self._batch([rows[padded[place]] for place in batch])
            yield [(padded[place], found[at, -rows[padded[place]].read :]) for at, place in enumerate(batch)]

    def padded(self, sequences: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Token ids and attention mask of these sequences, padded on the left."""
        import torch  # noqa: PLC0415

        width = max(map(len, sequences))
        ids = [[self._pad] * (width - len(one)) + list(one) for one in sequences]
        mask = [[0] * (width - len(one)) + [1] * len(one) for one in sequences]
        device = self._model.device
        return {
            "input_ids": torch.tensor(ids, device=device),
            "attention_mask": torch.tensor(mask, device=device),
        }

    def _batch(self, rows: Sequence[Row]) -> Any:
        """Logits of shape (rows, positions read, vocabulary)."""
        import torch  # noqa: PLC0415

        read = max(row.read for row in rows)
        inputs = self.padded([row.ids for row in rows])
        if "position_ids" in self._takes:
            inputs["position_ids"] = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        if "logits_to_keep" in self._takes:
            inputs["logits_to_keep"] = read
        self._padded += inputs["input_ids"].numel()
        with torch.inference_mode():
            return self._model(**inputs, use_cache=False).logits[:, -read:]

    def _packed(self, rows: Sequence[Row], limits: Limits) -> Iterator[list[tuple[int, Any]]]:
        """As `logits`, of rows that can be packed."""
        with attention.packed(self._model):
            if self._at_once is None:
                yield from self._lanes[0].logits(rows, limits)
                return
            parts, together = halves(rows, [lane.slots for lane in self._lanes])
            each = Limits(limits.tokens, max(limits.positions // 2, 1)) if together else limits
            works = [
                (part, lane.logits([rows[i] for i in part], each))
                for part, lane in zip(parts, self._lanes, strict=True)
                if part
            ]
            for part, found in self._at_once.run(works) if together else _in_turn(works):
                yield [(part[place], logits) for place, logits in found]

    def _forget(self) -> None:
        """Remembers nothing of what was computed."""
        for lane in self._lanes:
            lane.forget()

    def _packs(self) -> bool:
        """Whether packed prompts come out as they do alone: two that begin alike, over more than one chunk."""
        import torch  # noqa: PLC0415

        if not {"position_ids", "logits_to_keep"} <= self._takes or not attention.takes(self._model):
            return False
        vocabulary = self._model.config.get_text_config().vocab_size
        both = [tuple(place * step % vocabulary for place in range(5, 21)) for step in (7, 11)]
        rows = [Row(both[0][:12], 2), Row(both[0][:7] + both[1], 2), Row(both[0][:12] + both[1][:1])]
        try:
            found = dict(one for several in self._packed(rows, Limits(9, 9)) for one in several)
            alone = [self._batch([row])[0] for row in rows]
        except Exception as error:  # noqa: BLE001 - whatever it is, padding does without
            log.debug("%s is not packed: %s", type(self._model).__name__, error)
            return False
        off = max(float((found[i].float() - logits.float()).abs().max()) for i, logits in enumerate(alone))
        scale = max(float(logits.float().std()) for logits in alone)
        log.debug("%s packed: off by %.1e of %.1e", type(self._model).__name__, off, scale)
        return off <= 3 * math.sqrt(torch.finfo(self._model.dtype).eps) * scale


def _in_turn(works: Sequence[tuple[K, Iterable[V]]]) -> Iterator[tuple[K, V]]:
    for key, values in works:
        for value in values:
            yield key, value


def _cores(device: Any) -> int:
    """How many are computed with; 0 where it is no CPU that computes."""
    import torch  # noqa: PLC0415

    return torch.get_num_threads() if device.type == "cpu" else 0


def _reach(config: Any) -> int:
    """Tokens from which on a model's attention is not over all that came before, or its positions are others."""
    ends = [getattr(config, key, None) for key in ("sliding_window", "attention_chunk_size")]
    ropes = getattr(config, "rope_parameters", None) or {}
    for rope in (ropes, *(one for one in ropes.values() if isinstance(one, dict))):
        if rope.get("rope_type") in ("dynamic", "longrope"):
            stated = rope.get("original_max_position_embeddings") or config.max_position_embeddings
            ends += [stated, getattr(config, "original_max_position_embeddings", None)]
    return min((end for end in ends if end), default=2**62)
