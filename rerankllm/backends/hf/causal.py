"""Decoder-only models: prompts packed where the model's attention allows it, else padded."""

import inspect
import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any

from rerankllm.backends.hf import attention
from rerankllm.backends.hf.batches import Limits, Row, batches
from rerankllm.backends.hf.packing import Chunk, chunks
from rerankllm.backends.hf.slots import Slots

log = logging.getLogger(__name__)
CHUNK = 1024
"""Tokens that each thread of a CPU computes at a time: enough for matrix products, and few enough for its caches."""


class Causal:
    """Logits of a decoder-only model; the head is computed only where it is read.

    Attributes:
        computed: Tokens computed so far, padding included.
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
        self._enough = _fitting(model.device)
        self._takes = frozenset(inspect.signature(model.forward).parameters)
        self.computed = self._room = 0
        self._slots, self._memory = Slots(0), attention.Memory()
        self.reach = _reach(model.config.get_text_config()) if self._packs() else 0
        self._room = cache // self._memory.bytes_a_slot if self.reach else 0
        self._forget()
        self.computed = 0

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
        self.computed += inputs["input_ids"].numel()
        with torch.inference_mode():
            return self._model(**inputs, use_cache=False).logits[:, -read:]

    def _packed(self, rows: Sequence[Row], limits: Limits) -> Iterator[list[tuple[int, Any]]]:
        """As `logits`, and what fits is remembered unless something goes wrong."""
        import torch  # noqa: PLC0415

        slots, memory = self._slots, self._memory
        self._forget()
        size = self._room + min(self._enough, limits.tokens)  # at once, as most will be used: growing copies
        begun: list[Any] = []
        for chunk in chunks(rows, limits, slots, self._enough):
            with attention.packed(self._model):
                logits = self._pass(rows, chunk, memory, max(size, slots.size))
            done = []
            for piece in chunk.pieces:
                row = rows[piece.row]
                mine = piece.stop - max(piece.start, len(row.ids) - row.read)
                if mine > 0:
                    begun.append(logits[:mine])
                    logits = logits[mine:]
                if piece.stop == len(row.ids):
                    done.append((piece.row, torch.cat(begun)))
                    begun = []
            yield done
        self._slots, self._memory = slots, memory

    def _pass(self, rows: Sequence[Row], chunk: Chunk, memory: attention.Memory, size: int) -> Any:
        """Logits of all positions that are read: a tensor of shape (positions, vocabulary)."""
        import torch  # noqa: PLC0415

        ids: list[int] = []
        positions: list[int] = []
        read: list[int] = []
        for piece in chunk.pieces:
            row = rows[piece.row]
            ids += row.ids[piece.start : piece.stop]
            positions += range(piece.start, piece.stop)
            first = max(len(row.ids) - row.read - piece.start, 0)
            read += range(piece.place + first, piece.place + piece.stop - piece.start)
        device = self._model.device
        self.computed += len(ids)
        with torch.inference_mode():
            return self._model(
                input_ids=torch.tensor([ids], device=device),
                position_ids=torch.tensor([positions], device=device),
                logits_to_keep=torch.tensor(read, dtype=torch.long, device=device),
                use_cache=False,
                packed=attention.layout(chunk, memory, size, self._model),
            ).logits[0]

    def _forget(self) -> None:
        """Remembers nothing of what was computed."""
        self._slots, self._memory = Slots(self._room), attention.Memory()

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


def _fitting(device: Any) -> int:
    """Tokens that are best computed at a time."""
    import torch  # noqa: PLC0415

    return CHUNK * torch.get_num_threads() if device.type == "cpu" else 2**62


def _reach(config: Any) -> int:
    """Tokens from which on a model's attention is not over all that came before, or its positions are others."""
    ends = [getattr(config, key, None) for key in ("sliding_window", "attention_chunk_size")]
    ropes = getattr(config, "rope_parameters", None) or {}
    for rope in (ropes, *(one for one in ropes.values() if isinstance(one, dict))):
        if rope.get("rope_type") in ("dynamic", "longrope"):
            stated = rope.get("original_max_position_embeddings") or config.max_position_embeddings
            ends += [stated, getattr(config, "original_max_position_embeddings", None)]
    return min((end for end in ends if end), default=2**62)
