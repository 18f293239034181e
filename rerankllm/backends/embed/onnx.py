"""Embeddings computed in this process by onnxruntime: no torch, and nothing to compile."""

import importlib.util
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from rerankllm.backends.cpus import cpus
from rerankllm.backends.embed.memory import Embedded, Role, Text, unit
from rerankllm.backends.embed.packaged import ONNX_NEEDED, OnnxModel
from rerankllm.calls import CallFailed
from rerankllm.errors import MissingExtra

TOKENS = 512
"""Tokens computed at a time by one thread: more do not fit a core's cache, and take longer each."""
CHUNK = 8
"""Batches a thread computes between two looks at whether anybody still waits."""
LETTERS = 32
"""Characters a token that are looked at first: hardly any text has fewer tokens, and most of a long one is not read."""
ENDLESS = re.compile(r"([A-Za-z0-9]{200})[A-Za-z0-9]+")
"""A word of more letters than any that is looked up, 100: it is unknown, however long it is."""
WARNINGS_OFF = 3

Batch: TypeAlias = list[tuple[Text, list[int]]]
"""Texts with their token ids."""


class Onnx:
    """A BERT model as an ONNX file: the mean of the tokens' last hidden states is the text's embedding.

    Every thread computes a batch of its own, on one core: small matrices gain nothing from several. Vectors do not
    depend on the number of threads, nor on the CPU, but for the rounding of float32.

    Attributes:
        dtype: The type of the weights.
        at_once: Texts that keep all threads busy; taking few lets the user see what is done.
        names: What the model is called, where it has a published format: nothing, as these have none.

    Args:
        model: The model.
        batch: Texts computed at a time, at most.
        threads: Threads that compute; None for one a CPU that this process may use.

    Raises:
        MissingExtra: onnxruntime, tokenizers, or the package with the weights, is not installed.
        InputError: The file is not the one that is expected.
    """

    def __init__(self, model: OnnxModel, *, batch: int, threads: int | None) -> None:
        if any(importlib.util.find_spec(package) is None for package in ("onnxruntime", "tokenizers")):
            raise MissingExtra(ONNX_NEEDED)
        self.dtype = model.dtype
        self.at_once = batch * (threads or cpus())
        self.names: tuple[str, ...] = ()
        self._model = model
        self._batch = batch
        self._threads = threads or cpus()
        self._session = _session(model.path())
        self._tokenizer = _word_pieces(Path(__file__).with_name(model.vocabulary), model.tokens)

    def revision(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return self._model.sha256

    def embed(
        self, texts: Sequence[Text], abandoned: Callable[[], bool]
    ) -> Iterator[list[tuple[Text, Embedded | CallFailed]]]:
        """Embeds these texts, some batches at a time, until `abandoned`."""
        ids = self._ids([text.text for text in texts])
        batches = list(_batches(list(zip(texts, ids, strict=True)), self._batch))
        at_once = self._threads * CHUNK
        with ThreadPoolExecutor(self._threads, thread_name_prefix="rerankllm-onnx") as pool:
            for start in range(0, len(batches), at_once):
                if abandoned():
                    return
                done = pool.map(self._computed, batches[start : start + at_once])
                yield [each for batch in done for each in batch]

    def room(self, role: Role) -> int:
        """Tokens that a text may have, besides the two put around it."""
        del role
        return self._model.tokens - 2

    def ends(self, text: str) -> list[int]:
        """Where each token of a text ends, in characters."""
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        return [end for part in (encoded, *encoded.overflowing) for _, end in part.offsets]

    def harmless(self, text: str) -> str:
        """The text as it is: no text is read as a control token here."""
        return text

    def close(self) -> None:
        """Lets go of the model."""
        self._session = None

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of texts, as many as are read. What comes behind those is not tokenized where it is long."""
        enough = self._model.tokens * LETTERS
        texts = [ENDLESS.sub(r"\1", text) if len(text) > enough else text for text in texts]
        found = self._tokenizer.encode_batch([text[:enough] for text in texts])
        cut = [place for place, text in enumerate(texts) if len(text) > enough and not _full(found[place])]
        for place, whole in zip(cut, self._tokenizer.encode_batch([texts[place] for place in cut]), strict=True):
            found[place] = whole
        return [one.ids for one in found]

    def _computed(self, batch: Batch) -> list[tuple[Text, Embedded | CallFailed]]:
        longest = max(len(ids) for _, ids in batch)
        ids = np.zeros((len(batch), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, (_, tokens) in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        asked = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self._session.run(None, asked)
        vectors = unit((hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True))
        return [(text, Embedded(vector, len(own))) for (text, own), vector in zip(batch, vectors, strict=True)]


def _full(beginning: Any) -> bool:
    """Whether what a text begins with has all tokens that are read: a word begins behind that of the last of them."""
    last = beginning.word_ids[-2]
    return any(word not in {None, last} for more in beginning.overflowing[:1] for word in more.word_ids)


def _batches(texts: Batch, most: int) -> Iterator[Batch]:
    """The texts, longest first, in batches of so many texts and `TOKENS` tokens at most, padding included."""
    batch: Batch = []
    for text in sorted(texts, key=lambda text: -len(text[1])):
        if batch and (len(batch) == most or (len(batch) + 1) * len(batch[0][1]) > TOKENS):
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def _session(path: Path) -> Any:
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = WARNINGS_OFF
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _word_pieces(vocabulary: Path, most: int) -> Any:
    """The tokenizer of BERT's uncased models; control tokens written in a text are read as plain text."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: PLC0415

    pieces = vocabulary.read_text(encoding="utf-8").splitlines()
    ids = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.enable_truncation(most)
    return tokenizer
