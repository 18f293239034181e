"""The record of a training, by which it is known again: `training.json`."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rerankllm.backends.embed.local import files_of
from rerankllm.backends.hf import loading
from rerankllm.errors import InputError
from rerankllm.files import as_json, replace_text
from rerankllm.training.config import Config, Settings
from rerankllm.training.lists import Parts
from rerankllm.training.teacher import Teacher
from rerankllm.version import __version__

NAME = "training.json"
ANY = ("device", "threads", "usd_per_hour")
"""Settings that may change while a training goes on."""


def record_of(config: Config, teacher: Teacher, parts: Parts) -> dict[str, Any]:
    """What the training is; `same` compares the part under `identity`."""
    usual = Settings()
    settings = dataclasses.replace(config.training, **{name: getattr(usual, name) for name in ANY})
    shown = [
        (each.query.text, each.scores, [document.content for document in each.documents], each.first_stage)
        + ((sorted(each.chances.items()),) if each.chances else ())
        for each in (*parts.train, *parts.validation)
    ]
    kind, name = config.student
    return {
        "rerankllm": __version__,
        "identity": {
            "student": f"{kind}:{name}",
            "student_sha256": (loading.find(kind, name) if kind == "hf" else files_of(name)).fingerprint(),
            "strategy": config.strategy,
            "lora": config.lora,
            "loss": config.loss,
            "smoothing": config.smoothing,
            "lists": config.lists,
            "split": config.split,
            "training": settings,
            "shown_sha256": hashlib.sha256(as_json(shown).encode()).hexdigest(),
        },
        "teacher": {"name": teacher.name, "sha256": teacher.sha256, "cost": teacher.cost, "lists": len(teacher.lists)},
        "held_out": [f"{each.kind}:{each.name}" for each in config.held_out] + list(config.measure_on),
        "queries": {
            field.name: [each.query.query_id for each in getattr(parts, field.name)]
            for field in dataclasses.fields(Parts)
        },
    }


def begun_with(folder: Path) -> set[str] | None:
    """Ids of the queries that a training here began with; None where none began."""
    try:
        parts = json.loads((folder / NAME).read_text(encoding="utf-8"))["queries"]
        return {query_id for own in parts.values() for query_id in own}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # `begin` says what is wrong with a file
        return None


def begin(folder: Path, record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Writes the record, unless the same training was begun here before; gives what the folder then holds.

    Raises:
        InputError: The folder holds another training.
    """
    path = folder / NAME
    if not path.exists():
        replace_text(path, as_json(record, indent=2))
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        before = found["identity"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path} is no record of a training: choose another folder") from None
    now = json.loads(as_json(record["identity"]))
    changed = [key for key in now if now[key] != before.get(key)]
    if changed:
        raise InputError(
            f"{folder} holds a training with other {', '.join(changed)}: choose another folder with --output, or "
            "remove this one"
        )
    return found
