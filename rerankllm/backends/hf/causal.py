"""Decoder-only models: prompts packed where the model's attention allows it, else padded."""

import contextlib
import inspect
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rerankllm.backends.hf import attention, probe
from rerankllm.backends.hf.batches import Limits, Row, batches
from rerankllm.backends.hf.packed_runner import PackedRunner
from rerankllm.backends.hf.probe import Packing
from rerankllm.backends.hf.split import halves
from rerankllm.backends.hf.threads import AtOnce, K, V
from rerankllm.calls import TokenPrompt
from rerankllm.errors import CapabilityError

log = logging.getLogger(__name__)
CHUNK = 1024
"""Tokens that each core computes at a time: enough for matrix products, and few enough for its caches."""


class Causal:
    """Logits of a decoder-only model; the head is computed only where it is read.

    Attributes:
        packing: How rows are computed together, and why; found out by computing a few.
        reach: Tokens of the longest row that is packed; 0 where none is.
        room: Tokens that are remembered.
        known: Of each packed row that `logits` computed last, by its index, how many tokens were remembered.

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
        self.known: dict[int, int] = {}
        self._known: dict[int, int] = {}
        self.packing = self._probed()
        log.debug("%s computes prompts %s", type(model).__name__, self.packing)
        self.reach = self.packing.reach
        each = cache // (len(self._lanes) * max(lane.bytes_a_token for lane in self._lanes)) if self.reach else 0
        self.room = each * len(self._lanes)
        for lane in self._lanes:
            lane.forget(each)
            lane.computed = 0
        self._padded = 0

    @property
    def computed(self) -> int:
        """Tokens computed so far, padding included."""
        return self._padded + sum(lane.computed for lane in self._lanes)

    @staticmethod
    def row(prompt: TokenPrompt, answer: tuple[int, ...] = ()) -> Row:
        """What to compute to read the log-probabilities of a prompt's next token, and of those that follow it."""
        return Row(prompt.ids + answer[:-1], read=max(len(answer), 1))

    def logits(self, rows: Sequence[Row]) -> Iterator[list[tuple[int, Any]]]:
        """Computes the rows, some after the others.

        Yields:
            For each row that is done its index and its logits: a float tensor of shape (read, vocabulary).
        """
        self.known = {}
        packed = [i for i, row in enumerate(rows) if len(row.ids) <= self.reach]
        padded = [i for i, row in enumerate(rows) if len(row.ids) > self.reach]
        if packed:
            for found in self._packed([rows[i] for i in packed], self._limits):
                self.known |= {packed[place]: self._known[place] for place, _ in found}
                yield [(packed[place], logits) for place, logits in found]
        for batch in batches([rows[i] for i in padded], self.padding(self._limits)):
            found = self._batch([rows[padded[place]] for place in batch])
            yield [(padded[place], found[at, -rows[padded[place]].read :]) for at, place in enumerate(batch)]

    @contextlib.contextmanager
    def remembering(self, tokens: int) -> Iterator[None]:
        """Remembers all of so many tokens, whoever computes them; where that is more than usual, nothing afterwards."""
        usual = self.room // len(self._lanes)
        for lane in self._lanes:
            lane.remember(max(tokens, usual))
        try:
            yield
        finally:
            for lane in self._lanes:
                if self.room and tokens <= self.room:
                    lane.remember(usual)
                else:
                    lane.forget(usual)

    def padding(self, limits: Limits) -> Limits:
        """Limits of a padded batch: these, or one row where padding would change what the model answers."""
        return Limits(1, limits.positions) if self.packing.alone else limits

    def padded(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Token ids and attention mask of these rows, padded on the left."""
        import torch  # noqa: PLC0415

        sequences = [row.ids for row in rows]
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
        inputs = self.padded(rows)
        if "position_ids" in self._takes:
            inputs["position_ids"] = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        if "logits_to_keep" in self._takes:
            inputs["logits_to_keep"] = read
        self._padded += inputs["input_ids"].numel()
        with torch.inference_mode():
            return self._model(**inputs, use_cache=False).logits[:, -read:]

    def _packed(self, rows: Sequence[Row], limits: Limits) -> Iterator[list[tuple[int, Any]]]:
        """As `logits`, of rows that can be packed; `_known` is of these rows."""
        self._known = {}
        with attention.packed(self._model):
            if self._at_once is None:
                for found in self._lanes[0].logits(rows, limits):
                    self._known |= self._lanes[0].known
                    yield found
                return
            parts, together = halves(rows, [lane.slots for lane in self._lanes])
            each = Limits(limits.tokens, max(limits.positions // 2, 1)) if together else limits
            works = [
                ((part, lane), lane.logits([rows[i] for i in part], each))
                for part, lane in zip(parts, self._lanes, strict=True)
                if part
            ]
            for (part, lane), found in self._at_once.run(works) if together else _in_turn(works):
                self._known |= {part[place]: lane.known[place] for place, _ in found}
                yield [(part[place], logits) for place, logits in found]

    def _forget(self) -> None:
        """Remembers nothing of what was computed."""
        for lane in self._lanes:
            lane.forget()

    def _probed(self) -> Packing:
        """Finds out how rows can be computed together: packed or padded where they come out as alone."""
        rows = probe.short_rows(self._model.config.get_text_config().vocab_size)
        alone = [self._batch([row])[0] for row in rows]
        start = Row(rows[0].ids[:3], 2)
        pair = [alone[0], self._batch([start])[0]]
        unpadded = probe.trouble(lambda: self._right_aligned([rows[0], start]), pair, self._model.dtype)
        reach, reason = self._packs(rows, alone)
        return Packing(reach, reason, unpadded and f"padding changes its answers, {unpadded}")

    def _packs(self, rows: Sequence[Row], alone: Sequence[Any]) -> tuple[int, str]:
        """Tokens up to which packed rows come out as they do alone, and why not beyond.

        The rows share beginnings, with each other and with the run before, and take several chunks. Where it is
        affordable rows are tried that are as long as may be packed.
        """
        config, dtype = self._model.config.get_text_config(), self._model.dtype
        reach, reason = probe.stated_reach(config)
        longest = max(len(row.ids) for row in rows)
        if reach < longest:
            return 0, reason
        absent = {"position_ids", "logits_to_keep"} - self._takes
        if absent:
            return 0, f"its forward takes no {', '.join(sorted(absent))}"
        if not attention.takes(self._model):
            return 0, "its attention cannot be replaced"
        fault = probe.trouble(lambda: self._all_packed([rows, rows], Limits(9, 9)), [*alone, *alone], dtype)
        window = min(lane.window for lane in self._lanes)
        if window < reach:
            reach, reason = window, f"its attention sees {window} tokens"
        long = probe.long_rows(config.vocab_size, reach, self._model) if not fault else []
        if long:
            chunk = Limits(len(long[0].ids) // 2 + 1, 9)
            expected = [self._batch([row])[0] for row in long]
            fault = probe.trouble(lambda: self._all_packed([long], chunk), expected, dtype)
        if reach < longest:
            return 0, reason
        return (0, fault) if fault else (reach, reason)

    def _all_packed(self, runs: Sequence[Sequence[Row]], limits: Limits) -> list[Any]:
        """Logits of runs, the rows of each in order; every run remembers the ones before."""
        logits = []
        for lane in self._lanes:
            lane.forget(sum(len(row.ids) for rows in runs for row in rows))
        for rows in runs:
            found = dict(one for several in self._packed(rows, limits) for one in several)
            logits += [found[number] for number in range(len(rows))]
        if not any(lane.asked for lane in self._lanes):
            raise CapabilityError("its attention is not asked through transformers' interface")
        return logits

    def _right_aligned(self, rows: Sequence[Row]) -> list[Any]:
        """Logits of rows padded to one length."""
        found = self._batch(rows)
        return [found[at, -row.read :] for at, row in enumerate(rows)]


def _in_turn(works: Sequence[tuple[K, Iterable[V]]]) -> Iterator[tuple[K, V]]:
    for key, values in works:
        for value in values:
            yield key, value


def _cores(device: Any) -> int:
    """How many are computed with; 0 where it is no CPU that computes."""
    import torch  # noqa: PLC0415

    return torch.get_num_threads() if device.type == "cpu" else 0
