"""What vLLM's tests share. They run where `environment` installed vLLM, and are skipped elsewhere."""

import asyncio

import packaged_model
import pytest
import vllm_models

CONTEXT = 1024
CACHE = 64 << 20  # bytes: some 1,400 tokens of SmolLM2 in float32


def pytest_itemcollected(item):
    absent = vllm_models.missing()
    item.add_marker(pytest.mark.skipif(bool(absent), reason=f"{vllm_models.NEEDED}; absent: {', '.join(absent)}"))


@pytest.fixture(scope="session")
def smollm2():
    """The folder of the real model."""
    return packaged_model.converted()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of the random model."""
    return vllm_models.tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def load():
    """Loads a model as these tests do, small and quick to start; it is freed at the end."""
    from rerankllm.backends.vllm.backend import VLLM

    loaded = []

    def make(folder, **options):
        given = {"dtype": "float32", "max_model_len": CONTEXT, "enforce_eager": True, "kv_cache_memory_bytes": CACHE}
        loaded.append(VLLM(name=str(folder), **(given | options)))
        return loaded[-1]

    yield make
    for backend in loaded:
        asyncio.run(backend.aclose())


@pytest.fixture(scope="session")
def backend(load, smollm2):
    """The real model."""
    return load(smollm2)
