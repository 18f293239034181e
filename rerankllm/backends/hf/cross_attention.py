"""How much a decoder attends to each text of its encoder while it writes an answer (LiT5-Score)."""

from typing import Any

from rerankllm.backends.hf.seq2seq import Seq2Seq
from rerankllm.calls import EncoderPrompt, ReadAttention, Request, Response
from rerankllm.data import Usage

TOKENS = 256
"""What the authors divide sums over tokens by."""


class CrossAttention:
    """Attention of a T5's decoder, a prompt after the other.

    Tamber et al. 2023, "Scaling Down, LiTting Up: Efficient Zero-Shot Listwise Reranking with Seq2seq Encoder-Decoder
    Models", section 3.

    Attributes:
        computed: Tokens computed so far.

    Args:
        model: A T5 that writes greedily.
        engine: Its rows.
    """

    def __init__(self, model: Any, engine: Seq2Seq) -> None:
        self._model = model
        self._engine = engine
        self.computed = 0

    @staticmethod
    def fits(model: Any) -> bool:
        """Whether a model's attention can be read: T5's, which is not scaled and sees no places of the encoder."""
        return bool(model.config.model_type == "t5")

    def read(self, request: Request) -> Response:
        """One number for each text, in the order of the prompt, in which `fault` finds nothing wrong."""
        import torch  # noqa: PLC0415

        prompt, want = request.prompt, request.want
        assert isinstance(prompt, EncoderPrompt)  # noqa: S101
        assert isinstance(want, ReadAttention)  # noqa: S101
        inputs = self._engine.encoded(self._engine.row(prompt))
        seen, lengths = inputs["encoder_outputs"].last_hidden_state, self._engine.lengths(prompt)
        with torch.inference_mode():
            written = self._model.generate(**inputs, max_new_tokens=want.max_tokens)
            inputs["decoder_input_ids"] = written[:, :-1]
            each = self._attended(inputs, seen).split(lengths)
        self.computed += 2 * written.numel() + seen.shape[1]
        told = tuple(float(one[want.skip :].sum()) for one in each)
        return Response(logprobs=told, usage=Usage(len(prompt.ids), written.shape[1] - 1 - len(prompt.opening)))

    @staticmethod
    def fault(request: Request) -> str | None:
        """Why a request cannot be answered so, if it cannot: its texts are not apart."""
        return None if isinstance(request.prompt, EncoderPrompt) else "attention is read of texts that stand apart"

    def _attended(self, inputs: dict[str, Any], seen: Any) -> Any:
        """What each token of the encoder gets: a float tensor of shape (tokens,)."""
        layers = [block.layer[1].EncDecAttention for block in self._model.decoder.block]
        asked: list[Any] = []
        hooks = [layer.q.register_forward_hook(lambda *made: asked.append(made[-1])) for layer in layers]
        try:
            self._model(**inputs, use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
        return sum(map(_weighed, layers, asked, [seen] * len(layers))) / (TOKENS * len(layers))


def _weighed(layer: Any, asked: Any, seen: Any) -> Any:
    """What each token seen gets in one layer, over all tokens that ask: its shares, times its value's length."""
    queries, keys, values = (
        states[0].view(-1, layer.n_heads, layer.key_value_proj_dim).transpose(0, 1).float()
        for states in (asked, layer.k(seen), layer.v(seen))
    )
    shares = (queries @ keys.transpose(1, 2)).softmax(-1)  # of shape (heads, asking, seen)
    return (shares * values.norm(dim=-1)[:, None]).mean(0).sum(0)
