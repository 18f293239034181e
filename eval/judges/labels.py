r"""Keeps what recordings leave out: the log-probabilities of lists' labels, and what labels are worth alone.

    python eval/judges/labels.py --data ../shared/data/noveleval --model … --name qwen2.5-coder-0.5b --journals …

Reads the journals of the sets `letters` and `windows` that `record.py` left below --journals, and asks the
content-free prompts that `labels(prior=…)` asks, for lists and for pairs: up to 88 short calls. Writes
eval/judges/recordings/NAME/COLLECTION-labels.json.gz; with --model left out only what the journal holds is read again.
`python eval/judges/priors.py` makes the tables.
"""

import argparse
import asyncio
import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from record import DEPTH, RECORDINGS, placeless, queries_of

from rerankllm.calls import Response
from rerankllm.data import Candidate, Query
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.logprobs import Labels
from rerankllm.elicitation.prior import Contextual, PriorKind
from rerankllm.journal.read import entries, judged
from rerankllm.journal.store import Journal
from rerankllm.judgements import Compare, Judgement, Permute
from rerankllm.spec.model import ModelSpec

Rows = list[dict[str, Any]]
SETS = ("letters", "windows")
SIZES = (5, 10, DEPTH)
"""Of lists."""
PRIORS: tuple[PriorKind, ...] = ("empty", "documents")


def heard(journal: Path) -> Iterator[dict[str, Any]]:
    """The labels of every list: query, documents as shown, and log-probabilities in their order."""
    opened = Journal(journal, create=False)
    try:
        outcomes = {entry.place: entry.outcome for entry in entries(opened)}
        for row in judged(opened):
            record, outcome = json.loads(row.record), outcomes.get(row.place)
            if record["judgement"] == "Permute" and outcome is not None:
                shown = [doc_id for doc_id, _ in record["docs"]]
                yield {"query": record["query_id"], "docs": shown, "logprobs": rounded(outcome["logprobs"])}
    finally:
        opened.close()


def rounded(values: Sequence[float]) -> list[float]:
    """As they are kept."""
    return [round(value, 4) for value in values]


async def asked(model: str, queries: Sequence[tuple[Query, list[Candidate]]], cut: int) -> Rows:
    """What labels are worth by themselves: one prompt without any content, and one with each query's text."""
    backend, found = ModelSpec.parse(model).load(), []
    for prior in PRIORS:
        for query, candidates in queries[:1] if prior == "empty" else queries:
            docs = tuple(candidate.document for candidate in candidates)
            lists = [Permute(query, docs[:size]) for size in SIZES]
            for judgement in (*lists, Compare(query, *docs[:2])):
                logprobs = await _worth(backend, prior, judgement, cut)
                kind = type(judgement).__name__
                row = {"judgement": kind, "prior": prior, "query": query.query_id if prior == "documents" else None}
                found.append(row | {"logprobs": rounded(logprobs)})
    await backend.aclose()
    return found


async def _worth(backend: Any, prior: PriorKind, judgement: Judgement, cut: int) -> Sequence[float]:
    elicitor = Labels(prior=prior).bind(
        type(judgement), backend.tokenizer, backend.capabilities, PromptSettings(passage_tokens=cut)
    )
    assert isinstance(elicitor, Contextual)  # noqa: S101  # with a prior
    response = await backend.complete(elicitor.prepare(elicitor.prior(judgement)))
    if not isinstance(response, Response) or response.logprobs is None:
        raise SystemExit(f"{backend.model}: {response}")
    return response.logprobs


def main() -> None:
    """Reads, asks and keeps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--model")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--passage-tokens", type=int, default=80)
    parser.add_argument("--journals", type=Path, default=Path("judges-journals"))
    options = parser.parse_args()
    path = RECORDINGS / options.name / f"{options.data.name}-labels.json.gz"
    kept = json.loads(gzip.decompress(path.read_bytes())) if path.is_file() else {"model": "", "priors": []}
    journals = [options.journals / f"{options.name}-{options.data.name}-{name}.journal" for name in SETS]
    kept["lists"] = [row for journal in journals if journal.is_file() for row in heard(journal)]
    if options.model:
        queries = queries_of(options.data, options.every)
        assert all(len(candidates) == DEPTH for _, candidates in queries)  # noqa: S101  # lists of one size
        kept["model"] = placeless(options.model)
        kept["priors"] = asyncio.run(asked(options.model, queries, options.passage_tokens))
    with path.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
        packed.write(json.dumps(kept).encode())
    print(f"{path}: {len(kept['lists'])} lists, {len(kept['priors'])} priors, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
