"""Help that teaches: every command has examples, and every example is one that the command takes."""

import re
import shlex

import pytest
import typer

from rerankllm.cli.app import app
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage

ROOT = typer.main.get_command(app)
COMMANDS = {**ROOT.commands, "prompts show": ROOT.commands["prompts"].commands["show"]}
MARKUP = re.compile(r"(?<!\\)\[/?(?:bold|dim)\]")


def examples(command):
    """The example command lines of a help text, those that go on on the next line put together."""
    text = MARKUP.sub("", command.epilog or "").replace("\n ", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if re.match(r"(?:\w+=\S+ )*rerankllm ", line)]


EXAMPLES = [(name, line) for name, command in COMMANDS.items() for line in examples(command)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_of_its_own(name):
    assert any(f"rerankllm {name}" in line for line in examples(COMMANDS[name]))


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_every_example_is_taken(name, line):
    words = shlex.split(line.split(" | ")[0], comments=True)
    words = words[words.index("rerankllm") + 1 :]
    context = parsed([word for word in words if word != "…"])  # which stands for what every run needs
    given = context.params
    if isinstance(given.get("strategy"), str):
        Stage.parse(given["strategy"])
    if isinstance(given.get("model"), str):
        ModelSpec.parse(given["model"])
    for alias in given.get("alias") or ():
        assert "=" in alias


def parsed(words):
    """The context of the innermost command, its arguments read by the parser itself."""
    group, command = ROOT, ROOT.commands[words[0]]
    context = group.make_context("rerankllm", words)
    rest = words[1:]
    if rest and rest[0] in getattr(command, "commands", {}):
        context = command.make_context(words[0], rest, parent=context)
        command, rest = command.commands[rest[0]], rest[1:]
    return command.make_context(command.name, rest, parent=context)


def test_an_example_that_is_none_is_seen():
    for line in ("rerank --sampel", "plan --strategy x -n many", "retrieve --dataset dl19", "nothing at all"):
        with pytest.raises(Exception, match=r"sampel|integer|output|nothing"):
            parsed(line.split())
