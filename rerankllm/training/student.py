"""A student: a small model that is trained, and that ranks."""

import contextlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rerankllm.data import Document, Query
from rerankllm.errors import InputError
from rerankllm.training.config import Kind, Lora
from rerankllm.training.lists import Example
from rerankllm.training.losses import LANGUAGE_MODEL, Objective

if TYPE_CHECKING:
    from torch import Tensor


class Student(ABC):
    """What all students have in common.

    Attributes:
        kind: `embed`, `cross-encoder` or `hf`, as the model is named once it is saved.
        model: The module whose weights are trained.
        apart: Whether lists are computed one after the other, since one alone takes the memory there is.
    """

    kind: Kind
    model: Any
    apart: ClassVar[bool] = False

    @staticmethod
    def load(
        kind: Kind,
        name: str,
        *,
        strategy: str | None = None,
        max_length: int | None = None,
        device: str | None = None,
        threads: int | None = None,
        seed: int = 0,
        lora: Lora | None = None,
    ) -> "Student":
        """Loads the model to start from, in float32.

        Args:
            kind: `embed`: query and document are embedded apart. `cross-encoder`: they are read together; it may start
                from a plain encoder, and its head is then new. `hf`: a causal language model is shown a prompt.
            name: `minilm` or `smollm2`, a folder, or an id on the hub.
            strategy: How a causal model is asked, such as `pointwise / labels` or `sliding(window=10) / text`; None is
                the model's own card, or `pointwise / labels` where it has none.
            max_length: Tokens that are read of a text (`embed`), of a pair (`cross-encoder`), of a passage (`hf`); None
                for as many as the model takes, or its prompt shows.
            device: As torch names it; None is the GPU if there is one.
            threads: Threads that torch computes with, in the whole process.
            seed: Of new weights.
            lora: Trains an adapter instead of all weights.

        Raises:
            MissingExtra: A package is not installed.
            InputError: There is no such model, or it cannot be asked so.
        """
        if kind == "hf":
            from rerankllm.training.causal import CausalStudent  # noqa: PLC0415 - it is a Student itself

            return CausalStudent.open(
                name, strategy, max_length=max_length, device=device, threads=threads, seed=seed, lora=lora
            )
        from rerankllm.training.encoder import EncoderStudent  # noqa: PLC0415 - it is a Student itself

        return EncoderStudent.open(
            kind, name, max_length=max_length, device=device, threads=threads, seed=seed, lora=lora
        )

    @property
    def usual(self) -> Mapping[str, float]:
        """The losses with their weights where none is named."""
        return {"ranknet": 1.0}

    def check(self, objective: Objective, size: int) -> None:
        """Checks that this student can be trained so.

        Args:
            objective: What is minimized.
            size: Documents of a list.

        Raises:
            InputError: It cannot.
        """
        del size
        if objective.language_model:
            raise InputError(f"loss: {LANGUAGE_MODEL} is for students that write (hf:NAME), not for {self.kind}")

    @abstractmethod
    def loss(self, some: Sequence[Example], objective: Objective) -> "Tensor":
        """The mean loss of these lists, with gradients."""

    @abstractmethod
    def orders(self, queries: Sequence[tuple[Query, Sequence[Document]]]) -> Mapping[str, Sequence[str]]:
        """Document ids by query id, best first, as the student ranks now; equal ones keep their order."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Saves the model, an adapter's weights added to its own; its name is then `KIND:FOLDER`.

        With an adapter, that is saved by itself beside the folder, as `adapter`. Nothing is trained afterwards.
        """

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Meanwhile without dropout."""
        before = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(before)


def adapted(model: Any, lora: Lora, task: str, seed: int) -> Any:
    """A model with a new LoRA adapter, whose weights alone are trained.

    Args:
        model: A model of transformers.
        lora: What the adapter is like.
        task: As peft names it; that of classifiers trains their head whole.
        seed: Of the adapter's weights.
    """
    import peft  # noqa: PLC0415
    import torch  # noqa: PLC0415

    targets: Any = lora.targets if lora.targets == "all-linear" else lora.targets.split()
    config = peft.LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets, task_type=task
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # what peft asks of transformers is no business of users
        torch.manual_seed(seed)
        return peft.get_peft_model(model, config)


@contextlib.contextmanager
def saving() -> Iterator[None]:
    """Meanwhile no bars, and peft does not warn that a model in a GGUF file has no config.json beside it."""
    from rerankllm.backends.hf import loading  # noqa: PLC0415

    with loading.quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Could not find a config file", UserWarning)
        yield


@contextlib.contextmanager
def untold() -> Iterator[None]:
    """Meanwhile transformers neither lists which weights a model lacks nor shows bars: a new head is meant."""
    from transformers.utils import logging  # noqa: PLC0415

    from rerankllm.backends.hf import loading  # noqa: PLC0415

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with loading.quiet():
            yield
    finally:
        logging.set_verbosity(before)
