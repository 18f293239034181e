"""Models of late interaction on this machine's GPUs, through vLLM's pooling runner: a vector for each token."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from rerankllm.backends.embed.memory import Embedded, Text
from rerankllm.backends.embed.vectors import VectorBackend
from rerankllm.backends.hf.loading import ModelFiles
from rerankllm.backends.late_interaction.late_format import STANFORD, LateFormat, format_of
from rerankllm.backends.late_interaction.late_tokens import LateTexts, LateTokens, Row, Vectors, similarity
from rerankllm.backends.late_interaction.model_files import LateFiles
from rerankllm.backends.late_interaction.token_encoder import TokenEncoder, scaled
from rerankllm.backends.vllm.engine import Engine, complaint, token_pooler
from rerankllm.backends.vllm.pooling import Pooling, Source
from rerankllm.calls import CallFailed
from rerankllm.elicitation import cards
from rerankllm.errors import BackendError, InputError

TEXTS = 256
"""Texts computed between two looks at whether anybody still waits."""
ENCODERS = {"bert": "BertModel", "modernbert": "ColBERTModernBertModel", "lfm2": "ColBERTLfm2Model"}
"""What vLLM calls the encoders whose tokens' vectors it projects."""
ACTIVATIONS = {"Identity", "GELU", "ReLU", "SiLU", "Tanh", "Sigmoid"}
"""What may follow a layer of the projection there."""


def late_form(name: str) -> LateFormat | None:
    """How a model of late interaction reads texts; None for another model, or one whose files cannot be read."""
    folder = Path(name).expanduser()
    files = LateFiles(ModelFiles(str(folder) if folder.is_dir() else name), "vllm")
    return format_of(files, cards.find(files.source.names(name)))


class VLLMLate(VectorBackend):
    """Answers `Score` by MaxSim over the tokens' vectors, which vLLM computes.

    vLLM lets all tokens of a text see one another. A model that fills queries up with tokens that the query's own must
    not see has its queries, one a ranking, computed by transformers on the CPU; passages are vLLM's.

    Args:
        options: Which model, and how it is computed; texts that are too long are cut at their end.

    Raises:
        MissingExtra: vLLM is not installed.
        InputError: There is no such model, or vLLM does not compute its kind, or does not take an option.
        BackendError: The engine does not start.
    """

    def __init__(self, options: Pooling) -> None:
        name, source = options.name, options.find()
        files = LateFiles(source.files, "vllm")
        names = source.files.names(name)
        form = format_of(files, cards.find(names))
        if form is None:
            raise InputError(f"vllm:{name}: its files do not say that it is a model of late interaction")
        architecture = _architecture(files, name)
        positions = int(files.json("config.json")["max_position_embeddings"])
        lengths = (form.query_length or positions, form.document_length or positions)
        engine, model = options.start(
            source,
            pooler_config=token_pooler(),
            # Its own limit is one token short of what PyLate's files mean: they leave the marker out.
            hf_overrides={"architectures": [architecture], "model_max_length": positions},
            max_model_len=min(options.max_model_len or max(lengths), positions),
        )
        texts = _Texts(engine, files, form, names, source)
        super().__init__(texts, model, late=partial(similarity, mean=form.mean))


def _architecture(files: LateFiles, name: str) -> str:
    """What vLLM is to take a model for.

    Raises:
        InputError: It would compute something else, or nothing.
    """
    kind = str(files.json("config.json").get("model_type"))
    instead = f"; embed:{name} computes it with transformers"
    if kind not in ENCODERS:
        known = ", ".join(ENCODERS)
        raise InputError(f"vllm:{name}: of late interaction vLLM computes {known}; this is {kind}{instead}")
    for layer in files.layers():
        if layer.residual or layer.activation.rpartition(".")[2] not in ACTIVATIONS:
            raise InputError(f"vllm:{name}: vLLM leaves out a part of its layer {layer.folder}{instead}")
    return STANFORD if files.architecture == STANFORD else ENCODERS[kind]


class _Texts(LateTexts):
    """What `VectorBackend` asks of an engine.

    Attributes:
        at_once: Texts worth taking together.
        names: What the model is called.
    """

    at_once = TEXTS

    def __init__(
        self, engine: Engine, files: LateFiles, form: LateFormat, names: tuple[str, ...], source: Source
    ) -> None:
        self.names = names
        self._engine, self._files, self._form, self._source = engine, files, form, source
        self._tokens = LateTokens(form, engine.tokenizer, f"vllm:{names[0]}", engine.context)
        self._queries = TokenEncoder(files, "cpu", None) if form.apart else None

    def revision(self) -> str:
        """The commit on the hub, or SHA-256 over the folder's files; and over the projection and how texts are read."""
        return self._files.fingerprint(str(self._source.revision()), self._form)

    def embed(
        self, texts: Sequence[Text], abandoned: Callable[[], bool]
    ) -> Iterator[list[tuple[Text, Embedded | CallFailed]]]:
        """Computes these texts, some at a time, until `abandoned`.

        Raises:
            BackendError: The engine failed.
        """
        for start in range(0, len(texts), TEXTS):
            if abandoned():
                return
            chunk = texts[start : start + TEXTS]
            rows = [self._row(text.role, text.text) for text in chunk]
            here = [place for place, text in enumerate(chunk) if text.role == "query" and self._queries is not None]
            there = [place for place in range(len(chunk)) if place not in set(here)]
            found = dict(zip(there, self._computed([rows[place] for place in there]), strict=True))
            if self._queries is not None and here:
                found |= dict(zip(here, self._queries.vectors([rows[place] for place in here]), strict=True))
            yield [(text, Embedded(found[place], len(rows[place].ids))) for place, text in enumerate(chunk)]

    def close(self) -> None:
        """Frees the model."""
        self._engine.close()
        self._queries = None

    def _computed(self, rows: list[Row]) -> list[Vectors]:
        """The vectors that vLLM computes of rows."""
        if not rows:
            return []
        try:
            found = self._engine.token_vectors([list(row.ids) for row in rows])
        except Exception as error:
            raise BackendError(f"vllm:{self.names[0]}: vLLM's engine failed: {complaint(error)}") from error
        return [scaled(states, row) for states, row in zip(found, rows, strict=True)]
