"""Models whose prompts hold a vector for each passage, which an encoder of their own makes of its text (PE-Rank)."""

import functools
import inspect
import re
from collections.abc import Sequence
from typing import Any

from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.calls import OrderVectors, Request, Response, VectorPrompt
from rerankllm.data import Usage
from rerankllm.errors import InputError

BASES = {"embed_mistral": "Mistral", "embed_llama": "Llama"}
"""The `model_type` of such a model's files, and what transformers calls the rest of it."""
MARKERS = ("<PLACEHOLDER>", "<RANK>")
"""The tokens that it has besides its base's: for a passage in the prompt, and in the answer as it was trained."""
LONGEST = 512
"""Tokens that the encoder reads of a passage."""
TOGETHER = 16
"""Passages that the encoder reads at a time."""
REMEMBERED = 20_000
"""Passages whose vectors are kept: windows show them again."""
_LAYERS = re.compile(r"mlp(\d+)x_gelu")


def base_of(told: dict[str, Any]) -> str | None:
    """What the rest of a model is, by its configuration; None for others."""
    return BASES.get(str(told.get("model_type")))


def config_of(told: dict[str, Any], base: str) -> Any:
    """The configuration: the base's, with what is said of the encoder and the projector."""
    import transformers as hf  # noqa: PLC0415

    own = {key: value for key, value in told.items() if key != "model_type"}
    return getattr(hf, f"{base}Config")(**own)


@functools.cache
def model_class(base: str) -> Any:
    """The architecture in transformers' own parts, without its encoder."""
    import torch  # noqa: PLC0415
    import transformers as hf  # noqa: PLC0415

    class PassageVectors(getattr(hf, f"{base}PreTrainedModel")):  # type: ignore[misc]
        """Liu et al. 2024, "Leveraging Passage Embeddings for Efficient Listwise Reranking with LLMs", section 3."""

        _keys_to_ignore_on_load_unexpected = (r"^lm_head\.", r"^model\.encoder\.")

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.model = getattr(hf, f"{base}Model")(config)
            self.model.projector = _projector(torch.nn, config)
            self.post_init()

        def get_input_embeddings(self) -> Any:
            """Its tokens' vectors."""
            return self.model.embed_tokens

    return PassageVectors


def _projector(nn: Any, config: Any) -> Any:
    """What makes a token's vector of a passage's.

    Raises:
        InputError: Its kind is not known.
    """
    kind, width = getattr(config, "projector_type", "linear"), config.embedding_size
    if kind == "linear":
        return nn.Linear(width, config.hidden_size)
    if kind == "identity":
        return nn.Identity()
    layers = _LAYERS.fullmatch(kind)
    if layers is None:
        raise InputError(f"its projector is '{kind}': known are linear, identity and mlp2x_gelu")
    parts = [nn.Linear(width, config.hidden_size)]
    for _ in range(1, int(layers[1])):
        parts += [nn.GELU(), nn.Linear(config.hidden_size, config.hidden_size)]
    return nn.Sequential(*parts)


class PassageEncoder:
    """Makes a vector of length 1 of a passage's text.

    Args:
        config: Of the model, which names its encoder and how that one's tokens are pooled.
        device: As torch has it.
        dtype: As torch has it.
        trusted: Whether code that comes with the encoder may run.
    """

    def __init__(self, config: Any, device: Any, dtype: Any, *, trusted: bool) -> None:
        import transformers as hf  # noqa: PLC0415

        name = config.encoder_name
        try:
            self._model = hf.AutoModel.from_pretrained(name, dtype=dtype, trust_remote_code=trusted).to(device).eval()
            tokenizer = hf.AutoTokenizer.from_pretrained(name, trust_remote_code=trusted)
        except ValueError as error:
            if trusted or "trust_remote_code" not in str(error):
                raise
            raise InputError(
                f"its passages are read by {name}, which brings code of its own: ?trust_remote_code=true lets it run"
            ) from error
        self._tokenizer = tokenizer
        self._harmless = HubTokenizer(tokenizer, name).harmless
        self._pooling = config.encoder_pooling
        if self._pooling not in ("mean", "cls", "last_token"):
            raise InputError(f"its encoder pools by '{self._pooling}': known are mean, cls and last_token")

    def vectors(self, texts: Sequence[str]) -> Any:
        """A float tensor of shape (texts, dimensions)."""
        import torch  # noqa: PLC0415

        found = [self._read(texts[start : start + TOGETHER]) for start in range(0, len(texts), TOGETHER)]
        return torch.nn.functional.normalize(torch.cat(found), dim=-1)

    def _read(self, texts: Sequence[str]) -> Any:
        read = self._tokenizer(
            list(map(self._harmless, texts)),
            return_tensors="pt",
            padding=True,
            padding_side="right",
            truncation=True,
            max_length=LONGEST,
        ).to(self._model.device)
        states, mask = self._model(**read).last_hidden_state, read["attention_mask"]
        if self._pooling == "cls":
            return states[:, 0]
        if self._pooling == "last_token":
            return states[range(len(states)), mask.sum(1) - 1]
        shares = mask.unsqueeze(-1).to(states.dtype)
        return (states * shares).sum(1) / shares.sum(1).clamp(min=1e-9)


class VectorOrder:
    """Orders of passages shown as vectors, a prompt after the other.

    Attributes:
        computed: Tokens computed so far, a passage counted as one.

    Args:
        model: Made by `model_class`.
        encoder: Reads the passages.
    """

    packing = "one at a time: each holds a whole list"

    def __init__(self, model: Any, encoder: PassageEncoder) -> None:
        self._model = model
        self._encoder = encoder
        self._known: dict[str, Any] = {}
        self.computed = 0

    def read(self, request: Request) -> Response:
        """The passages' numbers, best first, for a prompt in which `fault` finds nothing wrong."""
        import torch  # noqa: PLC0415

        prompt, want = request.prompt, request.want
        assert isinstance(prompt, VectorPrompt)  # noqa: S101
        assert isinstance(want, OrderVectors)  # noqa: S101
        model, ids = self._model.model, torch.tensor([prompt.ids], device=self._model.device)
        order: list[int] = []
        with torch.inference_mode():
            vectors = self._vectors(prompt.passages)
            shown = model.embed_tokens(ids)
            shown[ids == prompt.marker] = vectors.to(shown.dtype)
            left, remembered = list(range(len(vectors))), self._remembered()
            while len(order) < want.count:
                state = model(inputs_embeds=shown, use_cache=True, **remembered).last_hidden_state[0, -1]
                self.computed += shown.shape[1]
                place = left[int((vectors[left].to(state.dtype) @ state).float().argmax())]
                left.remove(place)
                order.append(place)
                shown = vectors[place][None, None].to(shown.dtype)
        return Response(text=" ".join(str(place + 1) for place in order), usage=Usage(len(prompt.ids), len(order)))

    def _remembered(self) -> dict[str, Any]:
        """Room for keys and values, as this transformers calls it."""
        from transformers import DynamicCache  # noqa: PLC0415

        takes = inspect.signature(self._model.model.forward).parameters
        return {"cache" if "cache" in takes else "past_key_values": DynamicCache(config=self._model.config)}

    @staticmethod
    def fault(request: Request) -> str | None:
        """Why a prompt cannot be answered so, if it cannot: it holds no passages, or other places for them."""
        prompt, want = request.prompt, request.want
        if not isinstance(prompt, VectorPrompt):
            return "this model orders passages that are shown as vectors; the prompt has none"
        assert isinstance(want, OrderVectors)  # noqa: S101
        places = prompt.ids.count(prompt.marker) if prompt.marker is not None else 0
        if places != len(prompt.passages) or not 1 <= want.count <= places:
            return f"the prompt has {places} places for {len(prompt.passages)} passages, and {want.count} are wanted"
        return None

    def _vectors(self, passages: Sequence[str]) -> Any:
        """The passages' vectors among the model's tokens."""
        import torch  # noqa: PLC0415

        new = [text for text in dict.fromkeys(passages) if text not in self._known]
        if len(self._known) + len(new) > REMEMBERED:
            self._known.clear()
            new = list(dict.fromkeys(passages))
        if new:
            weights = next(self._model.model.projector.parameters(), self._model.model.embed_tokens.weight)
            made = self._model.model.projector(self._encoder.vectors(new).to(weights.dtype))
            self._known |= dict(zip(new, made, strict=True))
        return torch.stack([self._known[text] for text in passages])
