"""A student: a small model of sentence-transformers that is trained, and that ranks."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rerankllm.backends.embed.local import NEEDED, PROMPTS, files_of
from rerankllm.backends.embed.memory import Role
from rerankllm.backends.hf import loading
from rerankllm.data import Document
from rerankllm.training.config import Kind

if TYPE_CHECKING:
    from torch import Tensor

SHARPNESS = 20.0
"""What cosines are multiplied by in losses, which are made for scores further apart; rankings do not depend on it."""
BATCH = 32
"""Texts computed at a time when it ranks."""


class Student:
    """A bi-encoder, which embeds query and document apart, or a cross-encoder, which reads them together.

    Attributes:
        kind: `embed` or `cross-encoder`, as the model is named once it is saved.
        model: The model of sentence-transformers.
    """

    def __init__(self, kind: Kind, model: Any) -> None:
        self.kind, self.model = kind, model

    @classmethod
    def load(
        cls,
        kind: Kind,
        name: str,
        *,
        max_length: int | None = None,
        device: str | None = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> Self:
        """Loads the model to start from, in float32.

        Args:
            kind: `embed` or `cross-encoder`. A cross-encoder may start from a plain encoder: its head is then new.
            name: `minilm`, a folder, or an id on the hub.
            max_length: Tokens of a text, or of a pair, that are read; None for as many as the model takes.
            device: As torch names it; None is the GPU if there is one.
            threads: Threads that torch computes with, in the whole process.
            seed: Of a new head.

        Raises:
            MissingExtra: A package is not installed.
            InputError: There is no such model.
        """
        loading.need("torch", "sentence_transformers", extra=NEEDED)
        import sentence_transformers  # noqa: PLC0415
        import torch  # noqa: PLC0415

        loading.set_threads(threads)
        source, where = files_of(name), str(loading.place(device))
        with loading.reported(f"{kind}:{name}"), _untold(), torch.random.fork_rng():
            torch.manual_seed(seed)
            model: Any
            if kind == "embed":
                model = sentence_transformers.SentenceTransformer(source.where, device=where)
            else:  # no sigmoid: what it is saved with gives logits, as `cross-encoder:` does
                plain = torch.nn.Identity()
                model = sentence_transformers.CrossEncoder(
                    source.where, num_labels=1, activation_fn=plain, device=where
                )
            model.float()
        if max_length is not None:
            model.max_seq_length = min(max_length, model.max_seq_length or max_length)
        return cls(kind, model)

    def forward(self, queries: Sequence[str], documents: Sequence[Sequence[str]]) -> "list[Tensor]":
        """The scores of each query's documents, with gradients."""
        import torch  # noqa: PLC0415

        sizes = [len(own) for own in documents]
        flat = [document for own in documents for document in own]
        if self.kind == "cross-encoder":
            pairs = [(query, document) for query, own in zip(queries, documents, strict=True) for document in own]
            prompt = self.model.prompts.get(self.model.default_prompt_name)
            scores = self._through(pairs, prompt)["scores"].reshape(-1)
            return list(scores.split(sizes))
        asked, answers = self._vectors(list(queries), "query"), self._vectors(flat, "document")
        each = asked.repeat_interleave(torch.tensor(sizes, device=asked.device), dim=0)
        return list((SHARPNESS * (each * answers).sum(1)).split(sizes))

    def rank(self, query: str, documents: Sequence[Document]) -> list[str]:
        """Ids of the documents, best first; equal ones keep their order."""
        scores = self.scores(query, [document.content for document in documents])
        order = sorted(range(len(documents)), key=lambda i: -scores[i])
        return [documents[i].doc_id for i in order]

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """The score of each text: a cosine times 20, or a cross-encoder's logit."""
        import torch  # noqa: PLC0415

        by_length = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        found = [0.0] * len(texts)
        with self._still(), torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                some = by_length[start : start + BATCH]
                (values,) = self.forward([query], [[texts[i] for i in some]])
                for i, value in zip(some, values.tolist(), strict=True):
                    found[i] = value
        return found

    def save(self, folder: Path) -> None:
        """Saves the model as sentence-transformers does; its name is then `embed:FOLDER` or `cross-encoder:FOLDER`."""
        with loading.quiet():
            self.model.save_pretrained(str(folder), create_model_card=False)

    def _vectors(self, texts: list[str], role: Role) -> "Tensor":
        from torch.nn.functional import normalize  # noqa: PLC0415

        before = next(filter(None, (self.model.prompts.get(name) for name in PROMPTS[role])), None)
        return normalize(self._through(texts, before, task=role)["sentence_embedding"], dim=1)

    def _through(self, texts: list[Any], prompt: str | None, **options: Any) -> Any:
        features = self.model.preprocess(texts, prompt=prompt, **options)
        device = self.model.device
        return self.model({key: value.to(device) if hasattr(value, "to") else value for key, value in features.items()})

    @contextlib.contextmanager
    def _still(self) -> Iterator[None]:
        """Meanwhile without dropout."""
        before = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(before)


@contextlib.contextmanager
def _untold() -> Iterator[None]:
    """Meanwhile transformers does not list which weights a model lacks: a new head is meant."""
    from transformers.utils import logging  # noqa: PLC0415

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with loading.quiet():
            yield
    finally:
        logging.set_verbosity(before)
