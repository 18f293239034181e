"""Greedy text and chains of labels from a model of transformers, whatever its own generation settings say."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from rerankllm.backends.drawing import Chance
from rerankllm.backends.hf import labels
from rerankllm.backends.hf.batches import Limits, Row, batches
from rerankllm.backends.hf.chains import compared
from rerankllm.backends.label_chain import LabelChain
from rerankllm.backends.thought import ThoughtChain, ends
from rerankllm.calls import CallFailed, Generate, Reading, ReadLabels, Response, Sample, WriteLabels
from rerankllm.data import Usage


class Writer:
    """Writes answers: always the most likely token, until the model ends, a stop string shows or the length is reached.

    An answer of labels is held to them, and ends with the last that is wanted.

    Attributes:
        computed: Tokens computed so far, padding included.

    Args:
        model: A model of transformers that generates. Its generation settings are replaced: no sampling, and no
            penalty, ban or forced token left.
        limits: Of a batch.
        padded: Makes inputs of rows.
        text: The text of tokens.
        ends: Ids of tokens that end an answer.
        pad: The id of any token.
    """

    def __init__(
        self,
        model: Any,
        limits: Limits,
        *,
        padded: Callable[[Sequence[Row]], dict[str, Any]],
        text: Callable[[Sequence[int]], str],
        ends: frozenset[int],
        pad: int,
    ) -> None:
        from transformers import GenerationConfig  # noqa: PLC0415

        self._model = model
        self._limits = limits
        self._padded = padded
        self._text = text
        self._ends = ends
        self.computed = 0
        own = model.generation_config
        model.generation_config = GenerationConfig(
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            eos_token_id=sorted(ends) or None,
            pad_token_id=pad,
            bos_token_id=own.bos_token_id,
            decoder_start_token_id=own.decoder_start_token_id,
        )

    def write(
        self, prompts: Sequence[Row], wants: Sequence[Generate | WriteLabels], abandoned: Callable[[], bool]
    ) -> Iterator[list[tuple[int, Response | CallFailed]]]:
        """Answers the prompts, a batch after the other; stops in the middle of one once it is `abandoned`.

        Yields:
            For each prompt of a batch its index and the response; its usage counts the prompt as it was padded in.
        """
        import torch  # noqa: PLC0415

        rows = [replace(row, room=_most(want)) for row, want in zip(prompts, wants, strict=True)]
        for batch in _opened_alike(rows, self._limits):
            inputs = self._padded([rows[i] for i in batch])
            encoder = self._model.config.is_encoder_decoder
            answers = _Answers([wants[i] for i in batch], self._ends, self._text, abandoned)
            with torch.inference_mode():
                written = self._model.generate(
                    **inputs,
                    max_new_tokens=max(_most(wants[i]) for i in batch),
                    stopping_criteria=[answers],
                    logits_processor=[answers.hold],
                )
            self.computed += written.numel() + (inputs["attention_mask"].numel() if encoder else 0)
            if abandoned():
                return
            yield [
                (i, answers.response(place, len(rows[i].ids) + len(rows[i].decoded[1:])))
                for place, i in enumerate(batch)
            ]


class _Answers:
    """The answers of one batch, as they grow; says of each when it is over."""

    def __init__(
        self,
        wants: Sequence[Generate | WriteLabels],
        ends: frozenset[int],
        text: Callable[[Sequence[int]], str],
        abandoned: Callable[[], bool],
    ) -> None:
        self._chains = {row: LabelChain(want) for row, want in enumerate(wants) if isinstance(want, WriteLabels)}
        self._answers: dict[int, ThoughtChain] = {}
        self._held = {row: _Steps(chain, chain.begins) for row, chain in self._chains.items()}
        self._drawn = {row: Chance(want) for row, want in enumerate(wants) if isinstance(want, Sample)}
        self._wants = [want if isinstance(want, Generate) else Generate(0) for want in wants]
        self._ends = ends
        self._text = text
        self._abandoned = abandoned
        self._ids: list[list[int]] = [[] for _ in wants]
        self._reasons = [""] * len(wants)
        self._labels = [want.labels or ReadLabels(()) for want in self._wants]
        self._latest: Any = None
        self._readings: list[list[Reading]] = [[] for _ in wants]

    def __call__(self, ids: Any, scores: Any, **options: Any) -> Any:
        """Takes the latest tokens: a tensor of shape (rows, tokens). Returns which rows are over."""
        import torch  # noqa: PLC0415

        del scores, options
        for row, token in enumerate(ids[:, -1].tolist()):
            if row in self._held:
                self._reasons[row] = "stop" if self._held[row].over else ""
            elif not self._reasons[row]:
                self._read(row, token)
                self._ids[row].append(token)
                self._reasons[row] = self._reason(row, token)
                self._hold_after(row)
        over = [bool(reason) or self._abandoned() for reason in self._reasons]
        return torch.tensor(over, device=ids.device)

    def hold(self, ids: Any, logits: Any) -> Any:
        """Takes the next tokens' logits, of shape (rows, vocabulary); returns them with held and drawn rows decided."""
        del ids
        self._latest = logits
        if not self._held and not self._drawn:
            return logits
        decided = logits.clone()
        drawn = {row: chance.next(logits[row].float().cpu().numpy()) for row, chance in self._drawn.items()}
        held = {row: chain.next(logits[row]) for row, chain in self._held.items() if not self._reasons[row]}
        for row, token in (drawn | held).items():
            decided[row] = -math.inf
            decided[row, token] = 0.0
        return decided

    def response(self, row: int, prompt: int) -> Response | CallFailed:
        """One answer, cut before the stop string."""
        if row in self._chains:
            return self._chains[row].response(prompt)
        text = self._text(self._ids[row])
        found = [at for stop in self._wants[row].stop if stop and (at := text.find(stop)) >= 0]
        usage = Usage(prompt, len(self._ids[row]))
        written = Response(
            text=text[: min(found, default=None)],
            usage=usage,
            finish_reason=self._reasons[row],
            readings=tuple(self._readings[row]),
        )
        return self._answers[row].response(written) if row in self._answers else written

    def _hold_after(self, row: int) -> None:
        """Holds what follows to labels where a thought has just ended."""
        after, written = self._wants[row].after, self._ids[row]
        if after is None or self._reasons[row]:
            return
        last = self._text(written[-len(after.end) - 1 :])  # more characters than the end has
        if ends(after, last, self._wants[row].max_tokens - len(written)):
            self._answers[row] = answer = ThoughtChain(after, self._text)
            self._held[row] = _Steps(answer)

    def _read(self, row: int, token: int) -> None:
        """Reads how likely each label was where the token is one."""
        want = self._labels[row]
        label = next((number for number, ids in enumerate(want.ids) if token in ids), None)
        if label is not None:
            at = len(self._text(self._ids[row]))
            self._readings[row].append(Reading(at, label, labels.read(self._latest[row].float(), want)))

    def _reason(self, row: int, token: int) -> str:
        want = self._wants[row]
        if token in self._ends:
            return "stop"
        stops = [stop for stop in want.stop if stop]
        if stops and any(stop in self._text(self._ids[row]) for stop in stops):
            return "stop"
        return "length" if len(self._ids[row]) >= want.max_tokens else ""


class _Steps:
    """An answer of labels, a token at a time."""

    def __init__(self, chain: LabelChain | ThoughtChain, begins: tuple[int, ...] = ()) -> None:
        self._chain = chain
        self._put_in = deque(begins if chain.asked else ())

    @property
    def over(self) -> bool:
        """Whether nothing is left to compare."""
        return not self._chain.asked

    def next(self, logits: Any) -> int:
        """The next token, from the logits of all: a tensor of shape (vocabulary,). The last one means nothing."""
        if not self._put_in and self._chain.asked:
            self._put_in.extend(compared(self._chain, logits.float()))
        return self._put_in.popleft() if self._put_in else 0


def _opened_alike(rows: Sequence[Row], limits: Limits) -> Iterator[tuple[int, ...]]:
    """Batches of rows whose decoder starts with the same tokens."""
    for opening in dict.fromkeys(row.decoded for row in rows):
        places = [place for place, row in enumerate(rows) if row.decoded == opening]
        for batch in batches([rows[place] for place in places], limits):
            yield tuple(places[at] for at in batch)


def _most(want: Generate | WriteLabels) -> int:
    """How many tokens an answer may have."""
    return want.most_tokens if isinstance(want, WriteLabels) else want.max_tokens
