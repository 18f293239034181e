"""A template as `preview` shows it."""

import pytest

from rerankllm import preview
from rerankllm.elicitation.templates import names
from rerankllm.errors import InputError


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_the_command_prints_what_the_verb_gives(cli, name):
    status, out, _ = cli("prompts", "show", name, "-n", 4)
    assert (status, out) == (0, f"{preview(name, 4)}\n")


def test_every_document_is_shown_by_its_name():
    shown = preview("permute/text", 5)
    assert shown.startswith("--- ")
    assert [f"<doc {i}>" in shown for i in range(1, 7)] == [True] * 5 + [False]
    assert "<query>" in shown


def test_a_name_has_two_parts():
    with pytest.raises(InputError, match="should read judgement/name"):
        preview("permute")
