"""The files of a model of late interaction, in a folder or on the hub: read one by one, before its weights are."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rerankllm.backends.hf.loading import ModelFiles, reported
from rerankllm.errors import InputError
from rerankllm.files import digest

MODULES = "modules.json"
CONFIG = "config.json"
PARTS = {"Transformer", "Dense", "MultiVectorMask", "Normalize"}
"""The modules of sentence-transformers and PyLate that such a model may have."""


class Layer(NamedTuple):
    """A layer of the projection that follows the encoder.

    Attributes:
        folder: Where its weights are.
        activation: The class of torch that follows it.
        residual: Whether it adds what it was given.
    """

    folder: str
    activation: str = "torch.nn.Identity"
    residual: bool = False


@dataclass(frozen=True, slots=True)
class LateFiles:
    """What the files beside the weights say.

    Attributes:
        source: Where the model is.
        kind: What loads it, for messages.
    """

    source: ModelFiles
    kind: str

    def path(self, name: str) -> str | None:
        """The path of a file, fetched where the model is on the hub; None where there is none."""
        from transformers.utils.hub import cached_file  # noqa: PLC0415

        try:
            found = cached_file(
                self.source.where,
                name,
                revision=self.source.revision,
                _raise_exceptions_for_missing_entries=False,
                _raise_exceptions_for_connection_errors=False,
                _raise_exceptions_for_gated_repo=False,
            )
        except (OSError, ValueError):  # no such model, or no way to it: loading it says so
            return None
        return None if found is None else str(found)

    def json(self, name: str) -> Any:
        """What a file of JSON says; an empty mapping where there is none.

        Raises:
            InputError: It is none.
        """
        path = self.path(name)
        if path is None:
            return {}
        try:
            return json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{self.kind}:{self.source.where}: {name} cannot be read ({error})") from error

    @property
    def architecture(self) -> str:
        """What its configuration says it is; empty where that does not."""
        return str((self.json(CONFIG).get("architectures") or [""])[0])

    @property
    def encoder(self) -> str:
        """The folder of the encoder among the files; empty where that is the model's own."""
        return next((part["path"] for part in self._parts() if _last(part) == "Transformer"), "")

    def inner(self, part: str) -> Any:
        """The configuration of the first module of a kind; an empty mapping where there is none."""
        folder = next((each["path"] for each in self._parts() if _last(each) == part), None)
        return {} if folder is None else self.json(f"{folder}/{CONFIG}" if folder else CONFIG)

    def reads(self) -> Any:
        """How sentence-transformers reads texts for the encoder."""
        inner = self.encoder
        return self.json(f"{inner}/sentence_bert_config.json" if inner else "sentence_bert_config.json")

    def layers(self) -> list[Layer]:
        """The projection; nothing where it lies among the encoder's weights.

        Raises:
            InputError: It is of a kind that is not known.
        """
        unknown = [_last(part) for part in self._parts() if _last(part) not in PARTS]
        if unknown:
            raise InputError(
                f"{self.kind}:{self.source.where}: a model of late interaction with a module {unknown[0]} is not known"
            )
        found = []
        for part in self._parts():
            if _last(part) == "Dense":
                told = self.json(f"{part['path']}/{CONFIG}")
                activation = str(told.get("activation_function") or "torch.nn.Identity")
                found.append(Layer(part["path"], activation, bool(told.get("use_residual"))))
        return found

    def weights(self, folder: str) -> dict[str, Any]:
        """The tensors of a folder among the files, by name.

        Raises:
            InputError: There are none.
        """
        before = f"{folder}/" if folder else ""
        with reported(f"{self.kind}:{self.source.where}"):
            if (path := self.path(f"{before}model.safetensors")) is not None:
                from safetensors.torch import load_file  # noqa: PLC0415

                return load_file(path)
            if (path := self.path(f"{before}pytorch_model.bin")) is not None:
                import torch  # noqa: PLC0415

                tensors: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return tensors
        raise InputError(f"{self.kind}:{self.source.where}: {before or 'it'} has no weights")

    def fingerprint(self, own: str | None, form: object) -> str:
        """What scores depend on: the encoder's weights, and SHA-256 over the projection and how texts are read.

        Args:
            own: Of the encoder's weights: the commit on the hub, or a hash.
            form: How texts are read.
        """
        whole = hashlib.sha256(repr(form).encode())
        for layer in self.layers():
            for file in ("config.json", "model.safetensors", "pytorch_model.bin"):
                if (path := self.path(f"{layer.folder}/{file}")) is not None:
                    whole.update(bytes.fromhex(digest(Path(path))))
        return "+".join(filter(None, (own, whole.hexdigest()[:12])))

    def _parts(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.json(MODULES) or []
        return listed


def _last(part: dict[str, Any]) -> str:
    """The class of a module, without where it comes from."""
    return str(part.get("type", "")).rpartition(".")[2]
