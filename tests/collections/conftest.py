"""Caches of the libraries, seeded once a session, and nothing to be fetched from anywhere."""

import os
import sys

import pytest
from collection_seeds import (
    seed_futurequeryeval,
    seed_hugging_face,
    seed_ir_datasets,
    seed_published,
    seed_t2ranking,
)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory):
    """The folder with all caches; ir_datasets takes its home when it is imported."""
    root = tmp_path_factory.mktemp("caches")
    assert "ir_datasets" not in sys.modules
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IR_DATASETS_HOME", str(root / "irds"))
        patch.setenv("IR_DATASETS_TMP", str(root / "tmp"))
        patch.setenv("IR_DATASETS_SKIP_DISK_FREE", "true")  # what is fetched here is small
        seed_ir_datasets(root / "irds")
        import ir_datasets  # noqa: F401
    seed_hugging_face(root / "scratch", root / "datasets")
    seed_t2ranking(root / "hub")
    seed_published(root / "hub")
    seed_futurequeryeval(root / "hub")
    return root


@pytest.fixture(autouse=True)
def offline(seeded, tmp_path, monkeypatch):
    """The libraries look into the seeded caches only; rerankllm's own cache starts empty."""
    import datasets
    import huggingface_hub

    monkeypatch.setenv("IR_DATASETS_HOME", str(seeded / "irds"))
    monkeypatch.setenv("IR_DATASETS_TMP", str(seeded / "tmp"))
    monkeypatch.setenv("IR_DATASETS_SKIP_DISK_FREE", "true")
    monkeypatch.setenv("IR_DATASETS_DL_TRIES", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(seeded / "datasets"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(seeded / "datasets"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(seeded / "hub"))
    assert os.environ["IR_DATASETS_HOME"]
