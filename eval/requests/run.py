"""What strategies send: whether a request is sent twice, and how much of a prompt an earlier prompt began with.

    python eval/requests/run.py --data ../shared/data

Two judges on TREC-DL 2019: a simulated one, and one that always takes the first passage shown, which made sorting ask
the same again. The prompts are those of an `openai:` model, rendered and not sent; their tokens are estimated. A host
that keeps prompts reads the beginning that a prompt shares with an earlier one from its cache: OpenAI's from 1,024
tokens on, in pieces of 128; vLLM's in blocks of 16. Prints the tables and writes results.md.
"""

import argparse
import itertools
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from made import made_by  # noqa: E402

from rerankllm.backends.simulated import Simulated  # noqa: E402
from rerankllm.backends.token_estimate import EstimatedTokenizer  # noqa: E402
from rerankllm.calls import CallFailed, ChatPrompt, Reply, Request  # noqa: E402
from rerankllm.data import Candidate, Query, Ranking  # noqa: E402
from rerankllm.elicitation.template_file import root  # noqa: E402
from rerankllm.formats.beir import read_corpus, read_queries  # noqa: E402
from rerankllm.formats.join import join  # noqa: E402
from rerankllm.formats.trec import read_qrels, read_run  # noqa: E402
from rerankllm.judgements import Ask, Compare, Ends, Grade, Judgement, Permute, Score, Select, WeakOrder  # noqa: E402
from rerankllm.registry import BACKENDS  # noqa: E402
from rerankllm.reranker import Reranker  # noqa: E402

Queries = list[tuple[Query, list[Candidate]]]
HOST = "openai:any?base_url=http://127.0.0.1:1/v1"
"""Nothing listens there, and nothing is sent."""
LEAST, PIECE, BLOCK = 1024, 128, 16
FEW = "active(slots=100)"
"""The other budgets of `active` take minutes each, and ask by the same mechanism."""
QUESTION = "Search query: {{ query }}\n"
RUBRIC = " ".join(f"Rule {n}: a passage that meets condition {n} counts as relevant." for n in range(1, 101))
"""An instruction as long as a page of rules."""


class Noted(Simulated):
    """The simulated judge, and what it was asked."""

    asked: list[Judgement] = []  # noqa: RUF012 - of the run under way

    def answer(self, judgement: Judgement) -> Reply | CallFailed:
        """As the simulated judge answers."""
        self.asked.append(judgement)
        return super().answer(judgement)


class First(Noted):
    """A judge that always takes what is shown first."""

    def answer(self, judgement: Judgement) -> Reply | CallFailed:  # noqa: PLR0911
        """The first, or the order shown."""
        self.asked.append(judgement)
        ids = [doc.doc_id for doc in judgement.docs]
        match judgement:
            case Score():
                return Reply(0.5)
            case Compare():
                return Reply(1.0)
            case Select():
                return Reply(tuple(ids[: judgement.m]))
            case Grade():
                return Reply((1.0,) * len(ids))
            case Permute():
                return Reply(WeakOrder(tuple((each,) for each in ids)))
            case Ends():
                return Reply((ids[0], ids[-1]))
        return Simulated.answer(self, judgement)  # not Noted's, which would note it twice


BACKENDS.register("noted", Noted)
BACKENDS.register("first", First)


def asked(spec: str, model: str, queries: Queries) -> list[Judgement]:
    """What a strategy asks about these queries, in the order in which it is sent."""
    Noted.asked.clear()
    with Reranker(spec, model) as reranker:
        outcomes = list(reranker.stream(queries))
    if not all(isinstance(outcome, Ranking) for outcome in outcomes):
        raise SystemExit(f"{spec}: not all queries are ranked")
    return list(Noted.asked)


def prompts(
    judgements: Sequence[Judgement], stage: str = "pointwise / text", instruction: str | None = None
) -> Iterator[tuple[int, ...]]:
    """The prompts of an `openai:` model, as token ids."""
    count = EstimatedTokenizer()
    with Reranker(stage, HOST, instruction=instruction) as reranker:
        panel, elicitation = reranker.session.panel, reranker.stage.elicitation
        for judgement in judgements:
            request = panel.resolve(Ask((), elicitation, None), type(judgement)).prepare(judgement)
            if not isinstance(request, Request) or not isinstance(request.prompt, ChatPrompt):
                raise SystemExit(f"{HOST} is asked something that is no chat")
            turns = request.prompt.messages
            yield tuple(itertools.chain.from_iterable(count.encode(f"<{t.role}>\n{t.content}\n") for t in turns))


def shared(runs: Iterable[tuple[int, ...]]) -> tuple[int, int, int, int]:
    """Tokens, those that an earlier prompt began with, those of them in vLLM's blocks, and in OpenAI's pieces."""
    known: set[int] = set()
    total = begun = blocks = pieces = 0
    for ids in runs:
        hashes = list(itertools.accumulate(ids, lambda before, each: hash((before, each)), initial=0))[1:]
        common = next((i for i, value in enumerate(hashes) if value not in known), len(hashes))
        known.update(hashes[common:])
        total, begun = total + len(ids), begun + common
        blocks += common // BLOCK * BLOCK
        pieces += common // PIECE * PIECE if common >= LEAST else 0
    return total, begun, blocks, pieces


def query_first(judgement: str, name: str, folder: Path) -> Path:
    """A copy of one of our own templates that says instruction and query before it shows passages."""
    data: dict[str, Any] = yaml.safe_load((root() / judgement / f"{name}.yaml").read_text(encoding="utf-8"))
    instruction = "{% if instruction %}\nWhat counts as relevant: {{ instruction }}\n{% endif %}\n"
    turn = next(each for each in data["messages"] if QUESTION in each.get("user", ""))
    turn["user"] = instruction + QUESTION + turn["user"].replace(instruction, "").replace(QUESTION, "")
    path = folder / f"{judgement}-{name}.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return path


def question_first(judgement: str, name: str, folder: Path) -> Path:
    """A copy of one that ends with its question, and here begins with it."""
    data: dict[str, Any] = yaml.safe_load((root() / judgement / f"{name}.yaml").read_text(encoding="utf-8"))
    turn = next(each for each in reversed(data["messages"]) if "user" in each)
    shown, _, question = turn["user"].rpartition("\n\n" if judgement == "score" else "{% endfor %}\n")
    turn["user"] = f"{question}\n\n{shown}" + ("" if judgement == "score" else "{% endfor %}")
    path = folder / f"{judgement}-{name}-question.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return path


def distinct_table(specs: Sequence[str], path: Path, queries: Queries) -> Iterator[str]:
    """A row a strategy: requests, and how many of them are distinct."""
    yield "| strategy | passages | judge | requests | distinct | distinct ÷ sent |\n|---|---:|---|---:|---:|---:|"
    for spec in specs:
        for judge in ("noted", "first"):
            found = asked(spec, f"{judge}:{path}", queries)
            different = len(set(found))
            depth = max(len(candidates) for _, candidates in queries)
            named = {"noted": "simulated", "first": "always the first"}[judge]
            yield (f"| `{spec}` | {depth} | {named} | {len(found):,} | {different:,} | {different / len(found):.4g} |")


def prefix_table(specs: Sequence[str], path: Path, queries: Queries) -> Iterator[str]:
    """A row a strategy: tokens of its prompts, and what of them an earlier prompt began with."""
    yield (
        "| strategy | prompts | tokens | begun by an earlier prompt | in blocks of 16 "
        "| from 1,024 on, in pieces of 128 |\n|---|---:|---:|---:|---:|---:|"
    )
    for spec in specs:
        found = asked(spec, f"noted:{path}", queries)
        yield f"| `{spec}` | {_row(prompts(found), len(found))}"


def instructed_table(path: Path, queries: Queries) -> Iterator[str]:
    """The prompts of some strategies with an instruction that is longer than what hosts ask for."""
    yield (
        "| strategy | prompts | tokens | begun by an earlier prompt | in blocks of 16 "
        "| from 1,024 on, in pieces of 128 |\n|---|---:|---:|---:|---:|---:|"
    )
    for spec in ("pointwise", "prp(sort=heap, top_k=10)", "setwise(c=3, sort=heap, top_k=10)", "sliding", "full"):
        found = asked(spec, f"noted:{path}", queries)
        yield f"| `{spec}` | {_row(prompts(found, instruction=RUBRIC), len(found))}"


def layout_table(path: Path, queries: Queries) -> Iterator[str]:
    """Our own templates as they are, and with what is common first."""
    yield (
        "| strategy | layout | prompts | tokens | begun by an earlier prompt | in blocks of 16 "
        "| from 1,024 on, in pieces of 128 |\n|---|---|---:|---:|---:|---:|---:|"
    )
    cases = (
        ("sliding", "permute", query_first), ("setwise", "select", query_first), ("group", "grade", query_first),
        ("pointwise", "score", question_first), ("prp(sort=heap, top_k=10)", "compare", question_first),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for spec, judgement, change in cases:
            found = asked(spec, f"noted:{path}", queries)
            other = f"{spec} / text(prompt={str(change(judgement, 'text', Path(folder)))!r})"
            yield f"| `{spec} / text` | as it is | {_row(prompts(found), len(found))}"
            yield f"| `{spec} / text` | {change.__name__.replace('_', ' ')} | {_row(prompts(found, other), len(found))}"


def _row(made: Iterable[tuple[int, ...]], count: int) -> str:
    total, *parts = shared(made)
    return f"{count:,} | {total:,} | " + " | ".join(f"{part / total:.1%}" for part in parts) + " |"


def main() -> None:
    """Counts, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=20, help="take every so manieth query for the prompts")
    parser.add_argument("--only", help="measure only the table whose heading has this, and keep the others")
    parser.add_argument("--output", type=Path, default=HERE / "results.md")
    options = parser.parse_args()
    folder = options.data / "dl19-bm25"
    path = folder / "qrels.txt"
    qrels = read_qrels(path)
    run = {query_id: found for query_id, found in read_run(folder / "run.txt").items() if query_id in qrels}
    joined = join(run, read_queries(folder / "queries.tsv"), read_corpus(folder / "corpus.jsonl"), skip_missing=False)
    queries = [(query, list(candidates)) for query, candidates in joined.queries]
    specs = yaml.safe_load((HERE.parent / "frontier" / "strategies.yaml").read_text(encoding="utf-8"))
    some, short = queries[:: options.every], [(query, candidates[:20]) for query, candidates in queries]
    long = [spec for spec in specs["run"] if not spec.startswith("active") or spec == FEW]
    long.append("prp(sort=bubble, top_k=10)")
    parts = (
        ("## Is a request sent twice?", itertools.chain(
            distinct_table(long, path, queries),
            itertools.islice(distinct_table([s for s in specs["short"] if "bubble" not in s], path, short), 1, None))),
        (f"## What prompts have in common, {len(some)} queries", prefix_table(long, path, some)),
        (f"## The same with what is common first, {len(some)} queries", layout_table(path, some)),
        (f"## With an instruction of {len(EstimatedTokenizer().encode(RUBRIC)):,} tokens, {len(some)} queries",
         instructed_table(path, some)),
    )  # fmt: skip
    text = options.output.read_text(encoding="utf-8") if options.only and options.output.is_file() else ""
    kept = {part.partition("\n")[0]: part.strip() for part in re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]}
    for heading, rows in parts:
        if options.only and options.only not in heading:
            continue
        print(f"\n{heading}\n", flush=True)
        table = []
        for row in rows:
            print(row, flush=True)
            table.append(row)
        kept[heading] = "\n\n".join([heading, "\n".join(table)])
    head = [
        "# What strategies send",
        made_by("requests/run.py --data DATA", seeds=[0]),
        __doc__.split("\n\n")[2].strip(),
    ]
    lines = [*head, *(kept[heading] for heading, _ in parts if heading in kept)]
    options.output.write_text("\n\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
