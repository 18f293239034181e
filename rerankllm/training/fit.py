"""Finds a student's weights with transformers' Trainer: checkpoints, early stopping, and going on after a kill."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rerankllm.backends.hf import loading
from rerankllm.notes import tell
from rerankllm.training.config import Settings
from rerankllm.training.lists import Example
from rerankllm.training.losses import Objective
from rerankllm.training.student import Student, saving

STATE = "trainer_state.json"
"""What Trainer writes last into a checkpoint."""
NEEDED = "pip install 'rerankllm[train]'"


def fit(
    student: Student,
    examples: Sequence[Example],
    quality: Callable[[], float],
    *,
    objective: Objective,
    settings: Settings,
    folder: Path,
) -> tuple[list[float], float]:
    """Trains the student; it ends with the weights of the epoch that were best on the validation queries.

    A checkpoint is written after every epoch. Where the folder holds checkpoints, it goes on from the last whole one.

    Args:
        student: The student.
        examples: What is trained on.
        quality: How good the student is now, on the validation queries.
        objective: What is minimized.
        settings: How weights are found.
        folder: Holds the checkpoints.

    Returns:
        The quality after each epoch, and the seconds that all of them took, those before a kill too.

    Raises:
        MissingExtra: accelerate is not installed.
    """
    loading.need("accelerate", "transformers", extra=NEEDED)
    import transformers  # noqa: PLC0415

    last = _last(folder)
    if last is not None:
        tell(f"going on from {last}")
    trainer = _trainer(student, list(examples), quality, objective, _arguments(student, settings, folder))
    trainer.add_callback(transformers.EarlyStoppingCallback(settings.patience))
    trainer.remove_callback(transformers.PrinterCallback)
    with saving():
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
    student.model.eval()
    epochs = [entry for entry in trainer.state.log_history if "eval_quality" in entry]
    return [entry["eval_quality"] for entry in epochs], sum(entry["eval_took"] for entry in epochs)


def _trainer(
    student: Student, examples: list[Example], quality: Callable[[], float], objective: Objective, arguments: Any
) -> Any:
    import transformers  # noqa: PLC0415

    began = [time.perf_counter()]

    class Trainer(transformers.Trainer):  # type: ignore[misc]  # transformers is not followed
        """Takes its loss from lists, and its quality from `quality`."""

        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Any:
            del model  # it is the student's
            return student.loss(inputs["examples"], objective)

        def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
            found = {"eval_quality": quality(), "eval_took": time.perf_counter() - began[-1]}
            began.append(time.perf_counter())
            tell(f"epoch {self.state.epoch:.0f} of {self.args.num_train_epochs:.0f}: nDCG@10 "
                 f"{found['eval_quality']:.4f} on the validation queries")  # fmt: skip
            self.log(found)
            self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
            return found

    return Trainer(
        model=student.model,
        args=arguments,
        train_dataset=examples,
        eval_dataset=examples[:1],
        data_collator=lambda some: {"examples": some},
    )


def _arguments(student: Student, settings: Settings, folder: Path) -> Any:
    import transformers  # noqa: PLC0415

    return transformers.TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=1 if student.apart else settings.batch,
        gradient_accumulation_steps=settings.batch if student.apart else 1,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_quality",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=student.model.device.type == "cpu",
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
    )


def _last(folder: Path) -> Path | None:
    """The last checkpoint that is whole; what a kill left half-written is removed."""
    numbered = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]), reverse=True)
    for path in numbered:
        try:
            json.loads((path / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(path)
            continue
        return path
    return None
