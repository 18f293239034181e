"""Where vLLM is not installed, its kind of model says what to install, and what works without."""

import importlib
import importlib.util
import sys

import pytest

from rerankllm.errors import MissingExtra
from rerankllm.spec.model import ModelSpec


def test_absent(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "vllm" else find(name))
    with pytest.raises(MissingExtra, match=r"pip install 'rerankllm\[vllm\]'.*llamacpp:"):
        ModelSpec.parse("vllm:someone/something").load()


def test_broken(monkeypatch, tmp_path):
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm" / "__init__.py").write_text("raise ImportError('libcudart.so: no such file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "vllm", raising=False)
    importlib.invalidate_caches()
    with pytest.raises(MissingExtra, match="does not load.*libcudart"):
        ModelSpec.parse("vllm:someone/something").load()
    sys.modules.pop("vllm", None)
