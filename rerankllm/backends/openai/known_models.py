"""What is known of OpenAI's own models, from `models.yaml` beside this file, which says as of when."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Known:
    """A model.

    Attributes:
        prompt: US dollars per million prompt tokens; None when unknown.
        cached: The same for those found in the host's cache; None where that is not known.
        completion: The same for generated tokens, thoughts among them.
        thinks: Whether it thinks before it answers; such models take no temperature and tell no log-probabilities.
    """

    prompt: float | None = None
    cached: float | None = None
    completion: float | None = None
    thinks: bool = False


def known(name: str) -> Known:
    """What is known of a model of this name; a snapshot that is not listed has its family's ways but not its price."""
    models = _models()
    name = name.removeprefix("openai/")
    family = re.sub(r"-\d{4}-\d\d-\d\d$", "", name)
    return models.get(name) or Known(thinks=models.get(family, Known()).thinks)


@cache
def _models() -> Mapping[str, Known]:
    import yaml  # noqa: PLC0415

    data = yaml.safe_load((resources.files(__package__) / "models.yaml").read_text(encoding="utf-8"))
    models: dict[str, Known] = {}
    for name, entry in data["models"].items():
        model = Known(entry["prompt"], entry.get("cached"), entry["completion"], entry.get("thinks", False))
        models |= dict.fromkeys((name, *(f"{name}-{date}" for date in entry.get("snapshots", ()))), model)
    return models
