"""Encoder-decoder models: the prompt in the encoder, the answer in the decoder.

A prompt may be several texts, which the encoder reads apart and the decoder together: Fusion-in-Decoder (Izacard and
Grave 2021, "Leveraging passage retrieval with generative models for open domain question answering", section 3).
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rerankllm.backends.hf.batches import Limits, Row, batches
from rerankllm.calls import EncoderPrompt, TokenPrompt


class Seq2Seq:
    """Logits of an encoder-decoder model.

    Attributes:
        computed: Tokens computed so far, padding included.
        packing: How rows are computed together, and why.

    Args:
        model: A sequence-to-sequence model of transformers.
        pad: The id of any token; what is padded with it is masked.
        limits: Of a batch.
        eos: What every text of the encoder ends with; appended here.
        start: The decoder's first token.
    """

    packing = "padded: it has an encoder"
    known: Mapping[int, int] = MappingProxyType({})  # nothing is remembered

    def __init__(self, model: Any, pad: int, limits: Limits, *, eos: tuple[int, ...], start: int) -> None:
        self._model = model
        self._pad = pad
        self._limits = limits
        self._eos = eos
        self._start = start
        self.computed = 0

    def row(self, prompt: TokenPrompt | EncoderPrompt, answer: tuple[int, ...] = ()) -> Row:
        """What to compute to read the log-probabilities of an answer's first token, and of those that follow it."""
        whole = prompt if isinstance(prompt, EncoderPrompt) else EncoderPrompt((prompt.ids,))
        return Row(
            sum(whole.texts, ()),
            read=max(len(answer), 1),
            decoded=(self._start, *whole.opening, *answer[:-1]),
            lengths=tuple(map(len, whole.texts)),
        )

    def logits(self, rows: Sequence[Row]) -> Iterator[list[tuple[int, Any]]]:
        """Computes the rows, a batch after the other.

        Yields:
            For each row of a batch its index and its logits: a float tensor of shape (read, vocabulary).
        """
        import torch  # noqa: PLC0415

        for batch in batches(rows, self._limits):
            inputs = self.padded([rows[i] for i in batch])
            self.computed += inputs["attention_mask"].numel() + inputs["decoder_input_ids"].numel()
            with torch.inference_mode():
                found = self._model(**inputs, use_cache=False).logits
            ends = [len(rows[i].decoded) for i in batch]
            yield [(i, found[place, ends[place] - rows[i].read : ends[place]]) for place, i in enumerate(batch)]

    @staticmethod
    def padding(limits: Limits) -> Limits:
        """Limits of a padded batch: these, as an encoder masks what is padded."""
        return limits

    def padded(self, rows: Sequence[Row]) -> dict[str, Any]:
        """What the model takes for these rows, padded on the right.

        The encoder's texts with their last token, or what it makes of them where a row has several; and the decoder's
        tokens.
        """
        ids, mask = self._aligned([(*text, *self._eos) for row in rows for text in row.texts])
        inputs = {"input_ids": ids, "attention_mask": mask}
        if len(ids) > len(rows):
            inputs = self._fused(inputs, [len(row.texts) for row in rows])
        return inputs | {"decoder_input_ids": self._aligned([row.decoded for row in rows])[0]}

    def encoded(self, row: Row) -> dict[str, Any]:
        """The same for one row, whose texts the encoder has read, each apart."""
        ids, mask = self._aligned([(*text, *self._eos) for text in row.texts])
        inputs = self._fused({"input_ids": ids, "attention_mask": mask}, [len(row.texts)])
        return inputs | {"decoder_input_ids": self._aligned([row.decoded])[0]}

    def lengths(self, prompt: EncoderPrompt) -> list[int]:
        """Tokens of each text, with its last."""
        return [len(text) + len(self._eos) for text in prompt.texts]

    def _aligned(self, sequences: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        """Token ids of one length, and where they are not padding."""
        import torch  # noqa: PLC0415

        width = max(map(len, sequences))
        ids = [[*one, *[self._pad] * (width - len(one))] for one in sequences]
        mask = [[1] * len(one) + [0] * (width - len(one)) for one in sequences]
        device = self._model.device
        return torch.tensor(ids, device=device), torch.tensor(mask, device=device)

    def _fused(self, inputs: dict[str, Any], texts: Sequence[int]) -> dict[str, Any]:
        """The encoder's output for all texts of a row, one after the other; each row has so many of these texts."""
        import torch  # noqa: PLC0415
        from transformers.modeling_outputs import BaseModelOutput  # noqa: PLC0415

        with torch.inference_mode():
            states = self._model.get_encoder()(**inputs).last_hidden_state
        seen = inputs["attention_mask"].bool()
        joined = [one[mask] for one, mask in zip(states.split(texts), seen.split(texts), strict=True)]
        aligned = torch.nn.utils.rnn.pad_sequence
        return {
            "encoder_outputs": BaseModelOutput(last_hidden_state=aligned(joined, batch_first=True)),
            "attention_mask": aligned([one.new_ones(len(one), dtype=torch.long) for one in joined], batch_first=True),
        }
