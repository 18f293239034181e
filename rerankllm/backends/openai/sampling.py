"""How a model is to draw its answers: temperature, penalties and thoughts, in the words of its host. Pure."""

from typing import Any

from rerankllm.backends.openai.hosts import AZURE, OPENAI, Manners
from rerankllm.backends.openai.known_models import Known


def thinks(about: Known, *, reasoning: bool | None, thinking: str | None) -> bool:
    """Whether the model thinks: as the user says, by either option, else as is known of it."""
    if reasoning is not None:
        return reasoning
    return about.thinks if thinking is None else thinking != "off"


def greedy(manners: Manners, temperature: float | None, penalty: float | None) -> dict[str, Any]:
    """Temperature, and repetition penalty under the host's name for it.

    One that is not 1 goes out under all names, at any host but OpenAI's. What servers of open weights default to is not
    said anywhere, so they are told that there is none.
    """
    if manners in {OPENAI, AZURE}:
        return {"temperature": temperature}
    names = manners.penalty if penalty == 1.0 or manners.penalty else ("repetition_penalty", "repeat_penalty")
    return {"temperature": temperature, **dict.fromkeys(names, penalty)}
