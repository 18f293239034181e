"""Models of late interaction computed in this process: a vector for each token of a query and of a passage."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from rerankllm.backends.embed.local import CHUNK, NEEDED, files_of
from rerankllm.backends.embed.memory import Embedded, Text
from rerankllm.backends.hf import loading
from rerankllm.backends.late_interaction.late_format import LateFormat, format_of
from rerankllm.backends.late_interaction.late_tokens import LateTexts, LateTokens, similarity
from rerankllm.backends.late_interaction.model_files import LateFiles
from rerankllm.backends.late_interaction.token_encoder import TokenEncoder
from rerankllm.calls import CallFailed
from rerankllm.elicitation import cards


def late_model(name: str, revision: str | None) -> tuple[LateFiles, LateFormat, tuple[str, ...]] | None:
    """The files of a model of late interaction, how it reads texts, and what it is called; None for another model.

    Raises:
        MissingExtra: transformers is not installed.
        InputError: There is no such model, or its files are malformed.
    """
    loading.need("torch", "transformers", extra=NEEDED)
    source = files_of(name, revision)
    names = source.names(name)
    files = LateFiles(source, "embed")
    form = format_of(files, cards.find(names))
    return None if form is None else (files, form, names)


class Late(LateTexts):
    """Computes the tokens' vectors.

    Attributes:
        dtype: The type it computes with.
        at_once: Texts worth taking together.
        names: What the model is called.
        similarity: How two texts' vectors are compared.

    Args:
        files: The model's.
        form: How it reads texts.
        names: What it is called.
        dtype: As `hf:` has it.
        device: As `hf:` has it.
        batch: Texts computed at a time.
        threads: As `hf:` has it.

    Raises:
        InputError: It cannot be loaded, or lacks weights.
    """

    def __init__(
        self,
        files: LateFiles,
        form: LateFormat,
        names: tuple[str, ...],
        *,
        dtype: str | None,
        device: str | None,
        batch: int,
        threads: int | None,
    ) -> None:
        import transformers  # noqa: PLC0415

        loading.set_threads(threads)
        where = loading.place(device)
        self._files, self._form, self.names, self._batch = files, form, names, batch
        self._encoder: Any = TokenEncoder(files, where, loading.precision(dtype, where))
        config = self._encoder.model.config
        with loading.reported(f"embed:{names[0]}"):
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                files.source.where, subfolder=files.encoder, **files.source.options
            )
        stated = (getattr(config, "max_position_embeddings", None), tokenizer.model_max_length)
        self._tokens = LateTokens(form, tokenizer, f"embed:{names[0]}", min(filter(None, stated)))
        self._commit: str | None = getattr(config, "_commit_hash", None)
        self.dtype = str(self._encoder.model.dtype).removeprefix("torch.")
        self.at_once = batch * CHUNK
        self.similarity = partial(similarity, mean=form.mean)

    def revision(self) -> str:
        """The commit on the hub, else SHA-256 of the weights; and of the projection and how texts are read."""
        return self._files.fingerprint(self._commit or self._files.source.fingerprint(), self._form)

    def embed(
        self, texts: Sequence[Text], abandoned: Callable[[], bool]
    ) -> Iterator[list[tuple[Text, Embedded | CallFailed]]]:
        """Computes these texts, a batch of similar length at a time, until `abandoned`."""
        rows = {text: self._row(text.role, text.text) for text in texts}
        by_length = sorted(rows, key=lambda text: -len(rows[text].ids))
        for start in range(0, len(by_length), self._batch):
            if abandoned():
                return
            batch = by_length[start : start + self._batch]
            vectors = self._encoder.vectors([rows[text] for text in batch])
            yield [(text, Embedded(found, len(rows[text].ids))) for text, found in zip(batch, vectors, strict=True)]

    def close(self) -> None:
        """Lets go of the model."""
        self._encoder = None
