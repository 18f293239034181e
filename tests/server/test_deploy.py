"""The files of docs/deploy: their commands are ones there are, and their probes ask what answers."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main
import yaml

from rerankllm.cli.app import app

FOLDER = Path(__file__).parents[2] / "docs" / "deploy"
SERVE = typer.main.get_command(app).commands["serve"]
DOCKERFILE = (FOLDER / "Dockerfile").read_text()


def entrypoint():
    return json.loads(re.search(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)[1])


def parsed(arguments):
    """What `rerankllm serve` makes of arguments; fails where there is no such option."""
    return SERVE.make_context("serve", list(arguments)).params


def test_the_image_serves_as_nobody_special_and_says_how_it_is():
    assert entrypoint()[:2] == ["rerankllm", "serve"]
    assert parsed(entrypoint()[2:])["host"] == "0.0.0.0"  # noqa: S104
    assert DOCKERFILE.index("useradd") < DOCKERFILE.index("\nUSER rerank") < DOCKERFILE.index("ENTRYPOINT")
    assert "/health" in re.search(r"^HEALTHCHECK .*$", DOCKERFILE, re.MULTILINE)[0]


def test_compose():
    service = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]["rerankllm"]
    assert parsed([*entrypoint()[2:], *service["command"]])["max_journal_mb"] == 500


def test_kubernetes():
    deployment, service = yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text())
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    arguments = parsed([*entrypoint()[2:], *container["args"]])
    assert arguments["grace"] < pod["spec"]["terminationGracePeriodSeconds"]
    assert arguments["port"] == container["ports"][0]["containerPort"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    probes = ("startupProbe", "readinessProbe")
    assert {container[probe]["httpGet"]["path"] for probe in probes} == {"/health"}


def test_the_unit(tmp_path):
    text = (FOLDER / "rerankllm.service").read_text()
    command = shlex.split(re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)[1])
    assert command[:2] == ["/opt/rerankllm/bin/rerankllm", "serve"]
    assert parsed(command[2:])["log_format"] == "json"
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    unit = tmp_path / "rerankllm.service"
    unit.write_text(text.replace(command[0], "/bin/true"))
    found = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
