"""What is fastest on this CPU and on emulated ones: every choice, what is taken, and how long it took to find out.

    python -m eval.bench.choices [--gguf FILE] [--llama-cpp FOLDER]

`hf:`, SmolLM2-135M kept in bfloat16: float32 and bfloat16, on this CPU and, as oneDNN and torch emulate them, on one
with AVX-512 alone and on one with AVX2. `llamacpp:`, SmolLM2 and a GGUF file: types of weights, with flash attention
and without, on this CPU, and on AVX2 where --llama-cpp names a folder with a llama_cpp that was compiled for it. One
thread; tokens of prompts a second of CPU time, the better of two. Writes results/choices.md.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from eval.bench.harness import models
from eval.bench.harness.apart import Row, rows_apart
from eval.bench.harness.row import Setting
from eval.made import made_by
from rerankllm.backends import fastest
from rerankllm.backends.hf.backend import HuggingFace
from rerankllm.backends.llamacpp import gguf
from rerankllm.backends.llamacpp.backend import LlamaCpp
from rerankllm.backends.llamacpp.engine import Engine, Token
from rerankllm.backends.llamacpp.library import library
from rerankllm.calls import ReadLabels, Request, TokenPrompt

RESULTS = Path(__file__).parent / "results" / "choices.md"
EMULATED = {
    "this CPU": {},
    "AVX-512 without bfloat16": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
}
PROMPTS = {"150 tokens": (4, 150), "1,500 tokens": (1, 1500)}
"""How many of how many tokens."""


def prompts(count: int, length: int, turn: int) -> list[tuple[int, ...]]:
    """Tokens that have nothing in common, nor with those of another turn."""
    starts = range(count * turn + 1, count * turn + count + 1)
    return [tuple((7 * start * place + start + place) % 40_000 + 5 for place in range(length)) for start in starts]


def rate(compute: Callable[[int], Any], tokens: int) -> str:
    """Tokens a second of CPU time, the better of two turns."""
    taken = []
    for turn in range(2):
        started = time.process_time()
        compute(turn)
        taken.append(time.process_time() - started)
    return f"{tokens / min(taken):,.0f}"


def by_hf(folder: str) -> Iterator[Row]:
    """Both types."""
    found, loads = {}, {}
    for dtype in ("float32", "bfloat16"):
        HuggingFace(name=folder, device="cpu", threads=1, dtype=dtype)  # the first one imports much
        started = time.process_time()
        backend = HuggingFace(name=folder, device="cpu", threads=1, dtype=dtype, cache=0)
        loads[dtype] = time.process_time() - started
        found[dtype] = rates(backend)
    started = time.process_time()
    taken = HuggingFace(name=folder, device="cpu", threads=1).model.rpartition("=")[2]
    probe = time.process_time() - started - loads[taken]
    for dtype, speeds in found.items():
        yield "hf: SmolLM2", dtype, *speeds, f"taken, {probe:.1f} s more to load, once" if dtype == taken else ""


def rates(backend: Any) -> list[str]:
    """Of prompts of each length, through a backend that remembers nothing."""
    found = []
    want = ReadLabels(("a", "b"), ((5,), (6,)))
    for count, length in PROMPTS.values():

        def compute(turn: int, count: int = count, length: int = length) -> None:
            backend.run([Request(TokenPrompt(ids), want) for ids in prompts(count, length, turn)])

        found.append(rate(compute, count * length))
    asyncio.run(backend.aclose())
    return found


def by_llamacpp(file: str) -> Iterator[Row]:
    """Types of weights, and flash attention."""
    name = "SmolLM2" if file == "smollm2" else Path(file).stem
    taken = ""
    if file == "smollm2":
        for wanted in ("f16", "bf16"):
            gguf.weights(gguf.find(file), wanted)  # converted before, as most are
        started = time.process_time()
        taken = LlamaCpp(name=file, threads=1).model.rpartition("=")[2]
        first = time.process_time() - started
        started = time.process_time()
        LlamaCpp(name=file, threads=1, type=taken)
        first -= time.process_time() - started
    for wanted in ("file", "f16", "bf16"):
        for flash in (True, False) if wanted != "f16" else (True,):
            found = [rate(*each) for each in decodes(file, wanted, flash=flash)]
            told = f"taken, {first:.1f} s more to load, once" if wanted == taken and flash else ""
            yield f"llamacpp: {name}", f"{wanted}, flash attention {'on' if flash else 'off'}", *found, told


def decodes(file: str, wanted: str, *, flash: bool) -> Iterator[tuple[Callable[[int], None], int]]:
    """What decodes the prompts of each length, and how many tokens they have."""
    lib = library()
    make = lib.llama_init_from_model

    def told(model: Any, params: Any) -> Any:
        params.flash_attn_type = int(flash)
        return make(model, params)

    lib.llama_init_from_model = told
    try:
        path, kind = gguf.weights(gguf.find(file), wanted)
        engine = Engine(path, file_type=kind, threads=1, cells=2048, batch=512, sequences=8, gpu_layers=0)
    finally:
        lib.llama_init_from_model = make
    for count, length in PROMPTS.values():
        tokens = [
            Token(token, place, (number,), read=place == length - 1)
            for number, ids in enumerate(prompts(count, length, 0))
            for place, token in enumerate(ids)
        ]

        def decode(turn: int, tokens: list[Token] = tokens) -> None:
            del turn  # nothing is remembered
            engine.clear()
            for start in range(0, len(tokens), engine.batch):
                engine.decode(tokens[start : start + engine.batch])

        yield decode, count * length
    engine.close()


def main() -> None:
    """Prints and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", help="A GGUF file besides SmolLM2's.")
    parser.add_argument("--llama-cpp", help="A folder with a llama_cpp that was compiled for AVX2.")
    parser.add_argument("--once", nargs=2, metavar=("KIND", "WHAT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        kind, what = given.once
        with tempfile.TemporaryDirectory() as folder:
            fastest.path = lambda: Path(folder) / "fastest.json"
            print(json.dumps(list({"hf": by_hf, "llamacpp": by_llamacpp}[kind](what))))
        return
    folder = models.smollm2(Setting(Path(), user_cache_path("rerankllm") / "bench"))
    lines = [
        "# What is fastest on which CPU",
        "",
        f"{made_by('-m eval.bench.choices', 'torch', 'llama-cpp-python')} Prompt tokens a second of CPU, one thread.",
        "",
        f"| CPU | engine | choice | {' | '.join(PROMPTS)} | |",
        "|---|---|---|---:|---:|---|",
    ]
    for cpu, extra in EMULATED.items():
        add(lines, cpu, rows_apart("choices", "hf", str(folder), extra))
    builds = {"this CPU": None, **({"AVX2": given.llama_cpp} if given.llama_cpp else {})}
    for cpu, package in builds.items():
        for file in filter(None, ("smollm2", given.gguf)):
            add(lines, cpu, rows_apart("choices", "llamacpp", file, package=package))


def add(lines: list[str], cpu: str, rows: list[Row]) -> None:
    """Prints rows, adds them to the table, and keeps it so far: a run takes a while."""
    for row in rows:
        lines.append(f"| {' | '.join((cpu, *row))} |")
        print(lines[-1], flush=True)
    RESULTS.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
