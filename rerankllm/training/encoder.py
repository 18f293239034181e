"""Students that are encoders, of sentence-transformers: each document has a score by itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rerankllm.backends.embed.local import PROMPTS, files_of
from rerankllm.backends.embed.memory import Role
from rerankllm.backends.hf import loading
from rerankllm.data import Document, Query
from rerankllm.training.config import Kind, Lora
from rerankllm.training.lists import Example
from rerankllm.training.losses import Objective
from rerankllm.training.student import Student, adapted, saving, untold

if TYPE_CHECKING:
    from torch import Tensor

NEEDED = "pip install 'rerankllm[train]'"
SHARPNESS = 20.0
"""What cosines are multiplied by in losses, which are made for scores further apart; rankings do not depend on it."""
BATCH = 32
"""Texts computed at a time when it ranks."""


class EncoderStudent(Student):
    """A bi-encoder, which embeds query and document apart, or a cross-encoder, which reads them together."""

    def __init__(self, kind: Kind, model: Any) -> None:
        self.kind, self.model = kind, model

    @classmethod
    def open(
        cls,
        kind: Kind,
        name: str,
        *,
        max_length: int | None,
        device: str | None,
        threads: int | None,
        seed: int,
        lora: Lora | None,
    ) -> Self:
        """Loads the model to start from; see `Student.load`."""
        loading.need("torch", "sentence_transformers", *(("peft",) if lora else ()), extra=NEEDED)
        import sentence_transformers  # noqa: PLC0415
        import torch  # noqa: PLC0415

        loading.set_threads(threads)
        source, where = files_of(name), str(loading.place(device))
        with loading.reported(f"{kind}:{name}"), untold(), torch.random.fork_rng():
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
        if lora is not None:
            task = "FEATURE_EXTRACTION" if kind == "embed" else "SEQ_CLS"
            model[0].model = adapted(model[0].model, lora, task, seed)
        return cls(kind, model)

    def loss(self, some: Sequence[Example], objective: Objective) -> "Tensor":
        """The mean loss of these lists, with gradients."""
        import torch  # noqa: PLC0415

        texts = [[document.content for document in each.documents] for each in some]
        scores = self.forward([each.query.text for each in some], texts)
        losses = [
            objective.ranking(
                own, torch.tensor(each.labels, device=own.device, dtype=own.dtype), each.chances_like(own)
            )
            for own, each in zip(scores, some, strict=True)
        ]
        return torch.stack(losses).mean()

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

    def orders(self, queries: Sequence[tuple[Query, Sequence[Document]]]) -> Mapping[str, Sequence[str]]:
        """Document ids by query id, best first."""
        return {query.query_id: self._rank(query.text, documents) for query, documents in queries}

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """The score of each text: a cosine times 20, or a cross-encoder's logit."""
        import torch  # noqa: PLC0415

        by_length = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        found = [0.0] * len(texts)
        with self.still(), torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                some = by_length[start : start + BATCH]
                (values,) = self.forward([query], [[texts[i] for i in some]])
                for i, value in zip(some, values.tolist(), strict=True):
                    found[i] = value
        return found

    def save(self, folder: Path) -> None:
        """Saves the model as sentence-transformers does; see `Student.save`."""
        inner = self.model[0].model
        with saving():
            if hasattr(inner, "merge_and_unload"):
                inner.save_pretrained(str(folder.parent / "adapter"))
                self.model[0].model = inner.merge_and_unload()
            self.model.save_pretrained(str(folder), create_model_card=False)

    def _rank(self, query: str, documents: Sequence[Document]) -> list[str]:
        scores = self.scores(query, [document.content for document in documents])
        order = sorted(range(len(documents)), key=lambda i: -scores[i])
        return [documents[i].doc_id for i in order]

    def _vectors(self, texts: list[str], role: Role) -> "Tensor":
        from torch.nn.functional import normalize  # noqa: PLC0415

        before = next(filter(None, (self.model.prompts.get(name) for name in PROMPTS[role])), None)
        return normalize(self._through(texts, before, task=role)["sentence_embedding"], dim=1)

    def _through(self, texts: list[Any], prompt: str | None, **options: Any) -> Any:
        features = self.model.preprocess(texts, prompt=prompt, **options)
        device = self.model.device
        return self.model({key: value.to(device) if hasattr(value, "to") else value for key, value in features.items()})
