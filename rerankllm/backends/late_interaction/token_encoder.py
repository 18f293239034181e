"""A vector for each token, by transformers and torch: an encoder, and the projection behind it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rerankllm.backends.embed.memory import unit
from rerankllm.backends.hf import loading
from rerankllm.backends.late_interaction.late_tokens import Row, Vectors
from rerankllm.backends.late_interaction.model_files import LateFiles, Layer
from rerankllm.errors import InputError


class TokenEncoder:
    """Computes rows of tokens.

    Attributes:
        model: The encoder.

    Args:
        files: The model's.
        device: As torch has it.
        dtype: As torch has it.

    Raises:
        InputError: Weights are missing, or the projection is of a kind that is not known.
    """

    def __init__(self, files: LateFiles, device: Any, dtype: Any) -> None:
        import transformers  # noqa: PLC0415
        from transformers.utils import logging  # noqa: PLC0415

        what = f"{files.kind}:{files.source.where}"
        told = logging.get_verbosity()
        logging.set_verbosity_error()  # what is missing is said below
        try:
            with loading.reported(what), loading.quiet():
                model, found = transformers.AutoModel.from_pretrained(
                    files.source.where,
                    subfolder=files.encoder,
                    dtype=dtype,
                    output_loading_info=True,
                    **files.source.options,
                )
        finally:
            logging.set_verbosity(told)
        lacking = sorted(name for name in found["missing_keys"] if not name.startswith("pooler."))
        if lacking:
            raise InputError(f"{what}: its weights lack {', '.join(lacking)[:200]}")
        self.model = model.to(device).eval()
        self._layers = [
            _Dense(files.weights(layer.folder), self.model, _activation(layer, what), residual=layer.residual)
            for layer in files.layers()
        ]
        if not self._layers:
            weights = files.weights("")
            if "linear.weight" not in weights:
                raise InputError(
                    f"{what}: it has no projection of its tokens' vectors, so it was not trained to compare them"
                )
            self._layers = [_Dense(weights, self.model)]

    def vectors(self, rows: Sequence[Row]) -> list[Vectors]:
        """The vectors of the tokens that are compared, for rows that are computed together."""
        import torch  # noqa: PLC0415

        longest = max(len(row.ids) for row in rows)
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        seen = torch.zeros((len(rows), longest), dtype=torch.long)
        for place, row in enumerate(rows):
            ids[place, : len(row.ids)] = torch.tensor(row.ids)
            seen[place, : row.seen] = 1
        device = self.model.device
        with torch.inference_mode():
            states = self.model(input_ids=ids.to(device), attention_mask=seen.to(device)).last_hidden_state
            for layer in self._layers:
                states = layer(states)
            found = states.float().cpu().numpy()
        return [scaled(found[place], row) for place, row in enumerate(rows)]


def scaled(states: Any, row: Row) -> Vectors:
    """Those of a row's vectors that are compared, of length 1."""
    kept = np.asarray(states)[list(row.compared)]
    return unit(kept.tolist()) if len(kept) else np.zeros((0, states.shape[-1]), dtype=np.float32)


class _Dense:
    """A layer of the projection.

    Args:
        weights: Its tensors, by name.
        model: The encoder, for the device and the type.
        activation: What follows it; None for nothing.
        residual: Whether it adds what it was given.
    """

    def __init__(self, weights: dict[str, Any], model: Any, activation: Any = None, *, residual: bool = False) -> None:
        names = ("linear.weight", "linear.bias", "residual.weight")
        here = {name: weights[name].to(model.device, model.dtype) for name in names if name in weights}
        self._weight, self._bias, self._extra = map(here.get, names)
        self._activation, self._residual = activation, residual

    def __call__(self, states: Any) -> Any:
        from torch.nn.functional import linear  # noqa: PLC0415

        made = linear(states, self._weight, self._bias)
        made = made if self._activation is None else self._activation(made)
        if not self._residual:
            return made
        return made + (states if self._extra is None else linear(states, self._extra))


def _activation(layer: Layer, what: str) -> Any:
    """What follows a layer.

    Raises:
        InputError: It is no module of torch: others would run code that comes with the weights.
    """
    import torch  # noqa: PLC0415

    module = getattr(torch.nn, layer.activation.rpartition(".")[2], None)
    if not layer.activation.startswith("torch.nn.") or not isinstance(module, type):
        raise InputError(f"{what}: {layer.folder} has an activation {layer.activation}, which is not known")
    return module()
