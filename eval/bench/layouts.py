"""How prompts and answers are best laid out for an engine: attention, tokens a batch, and cells of a cache.

    python -m eval.bench.layouts [--gguf FILE] [--llama-cpp FOLDER]

`hf:`, SmolLM2-135M in bfloat16: torch's fused attention, and products of matrices. `llamacpp:`, SmolLM2 in the type
that is taken and a GGUF file as it is: tokens a batch; and four windows side by side, in a cache that all share with
fused attention, or with cells of their own and products of matrices. On this CPU, and on AVX2 where --llama-cpp names a
folder with a llama_cpp that was compiled for it. One thread, CPU time, the better of two. Writes results/layouts.md.
"""

import argparse
import functools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from eval.bench.choices import prompts, rate, rates
from eval.bench.harness import models
from eval.bench.harness.apart import Row, rows_apart
from eval.bench.harness.row import Setting
from eval.made import made_by
from rerankllm.backends.hf import attention
from rerankllm.backends.hf.backend import HuggingFace
from rerankllm.backends.llamacpp import gguf
from rerankllm.backends.llamacpp.engine import Engine, Layout, Token

RESULTS = Path(__file__).parent / "results" / "layouts.md"
WINDOWS, LENGTH, STEP = 4, 1000, 4
"""Windows side by side, tokens of each, and tokens that each decodes in a step."""
CELLS = 8192
SHAPES = {"150 tokens": (6, 150), "1,000 tokens": (1, 1000)}
HEADS: dict[str, tuple[str, str]] = {
    "hf": (
        "Attention of `hf:`, prompt tokens/s",
        "| CPU | attention | 150 tokens | 1,500 tokens |\n|---|---|---:|---:|",
    ),
    "batch": (
        "Tokens a batch of `llamacpp:`, prompt tokens/s",
        "| CPU | model | tokens a batch | 150 tokens | 1,000 tokens |\n|---|---|---:|---:|---:|",
    ),
    "layout": (
        f"{WINDOWS} windows of {LENGTH:,} tokens side by side in `llamacpp:`",
        f"| CPU | model | cells | prompt tokens/s | ms a step of {STEP} tokens each |\n|---|---|---|---:|---:|",
    ),
}


def by_hf(folder: str) -> Iterator[Row]:
    """Both ways to attend."""
    usual = attention._by_products  # noqa: SLF001
    for name, way in (("fused", lambda _: False), ("products of matrices", usual)):
        attention._by_products = way  # noqa: SLF001
        yield name, *rates(HuggingFace(name=folder, device="cpu", threads=1, dtype="bfloat16", cache=0))


def by_batch(model: str) -> Iterator[Row]:
    """Tokens a batch."""
    for batch in (256, 512, 1024):
        engine = made(model, batch)
        found = []
        for count, length in SHAPES.values():
            tokens = [
                Token(token, place, (number,), read=place == length - 1)
                for number, ids in enumerate(prompts(count, length, 0))
                for place, token in enumerate(ids)
            ]

            def decode(turn: int, tokens: list[Token] = tokens, engine: Engine = engine) -> None:
                del turn
                engine.clear()
                decoded(engine, tokens)

            found.append(rate(decode, count * length))
        engine.close()
        yield called(model), f"{batch:,}", *found


def by_layout(model: str) -> Iterator[Row]:
    """A cache that all share, and cells of their own."""
    engine = made(model, 512)
    apart = Layout(CELLS // WINDOWS // 256 * 256 * WINDOWS, WINDOWS, apart=True)
    for name, layout in (("shared", engine.shared), ("of their own", apart)):
        engine.arrange(layout)
        found = []
        for turn in range(2):
            engine.clear()
            ids = prompts(WINDOWS, LENGTH + STEP, turn)
            prefill, each = timed(functools.partial(windows, engine, ids, 0, LENGTH)), []
            together = [
                Token(token, LENGTH + at, (number,), read=True)
                for number, one in enumerate(ids)
                for at, token in enumerate(one[LENGTH:])
            ]
            for _ in range(3):
                each.append(timed(functools.partial(engine.decode, together)))
                for number in range(WINDOWS):
                    engine.trim(number, LENGTH)
            found.append((WINDOWS * LENGTH / prefill, 1000 * min(each)))
        yield called(model), name, f"{max(speed for speed, _ in found):,.0f}", f"{min(step for _, step in found):.0f}"
    engine.close()


def windows(engine: Engine, ids: list[tuple[int, ...]], start: int, stop: int) -> None:
    """Computes the prompts, one after the other."""
    for number, one in enumerate(ids):
        last = stop - 1
        decoded(engine, [Token(one[at], at, (number,), read=at == last) for at in range(start, stop)])


def decoded(engine: Engine, tokens: list[Token]) -> None:
    """A batch after the other."""
    for start in range(0, len(tokens), engine.batch):
        engine.decode(tokens[start : start + engine.batch])


def timed(compute: Callable[[], Any]) -> float:
    """Seconds of CPU time."""
    started = time.process_time()
    compute()
    return time.process_time() - started


def made(model: str, batch: int) -> Engine:
    """An engine; a model is its file and the type of its weights, with a blank between."""
    name, _, wanted = model.rpartition(" ")
    path, kind = gguf.weights(gguf.find(name), wanted)
    return Engine(path, file_type=kind, threads=1, cells=CELLS, batch=batch, sequences=8, gpu_layers=0)


def called(model: str) -> str:
    """What a model is called in the table."""
    name, _, wanted = model.rpartition(" ")
    return f"{Path(name).stem}, {'as shipped' if wanted == gguf.AS_SHIPPED else wanted}"


WAYS = {"hf": by_hf, "batch": by_batch, "layout": by_layout}


def main() -> None:
    """Prints and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", help="A GGUF file besides SmolLM2's.")
    parser.add_argument("--llama-cpp", help="A folder with a llama_cpp that was compiled for AVX2.")
    parser.add_argument("--once", nargs=2, metavar=("KIND", "WHAT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        kind, what = given.once
        print(json.dumps(list(WAYS[kind](what))))
        return
    folder = models.smollm2(Setting(Path(), user_cache_path("rerankllm") / "bench"))
    lines = ["# How prompts and answers are laid out", ""]
    lines += [f"{made_by('-m eval.bench.layouts', 'torch', 'llama-cpp-python')} One thread, CPU time.", ""]
    builds = {"this CPU": ("bf16", None)} | ({"AVX2": ("f16", given.llama_cpp)} if given.llama_cpp else {})
    for table, (title, head) in HEADS.items():
        lines += [f"## {title}", "", head]
        for cpu, (wanted, package) in builds.items():
            if table == "hf":
                found = rows_apart("layouts", table, str(folder)) if cpu == "this CPU" else []
            else:
                named = [f"smollm2 {wanted}", *([f"{given.gguf} {gguf.AS_SHIPPED}"] if given.gguf else [])]
                found = [row for model in named for row in rows_apart("layouts", table, model, package=package)]
            for row in found:
                lines.append(f"| {' | '.join((cpu, *row))} |")
                print(lines[-1], flush=True)
        lines.append("")
    RESULTS.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
