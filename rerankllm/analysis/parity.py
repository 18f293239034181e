"""Whether two backends say the same: the same judgements to both, and how far their log-probabilities lie apart."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rerankllm.calls import ChatPrompt, Outcome, Request, Response, TextPrompt, log_sum_exp
from rerankllm.data import Document, Query
from rerankllm.drivers.loop import BackgroundLoop
from rerankllm.drivers.panel import Panel
from rerankllm.elicitation.base import PromptSettings
from rerankllm.errors import CapabilityError
from rerankllm.files import plain
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_run
from rerankllm.judgements import Ask, Compare, Judgement, Permute, Score
from rerankllm.registry import ELICITATIONS
from rerankllm.sample import path as sample_path

CASES: tuple[tuple[str, type], ...] = (
    ("labels", Score),
    ("labels", Compare),
    ("labels", Permute),
    ("likelihood", Score),
)


@dataclass(frozen=True, slots=True)
class Row:
    """How two backends compare in one way of eliciting one kind of judgement.

    Attributes:
        elicitation: The way.
        judgement: The kind.
        calls: Judgements put to both.
        failed: Those that one of them did not answer.
        same_prompt: Prompts that were the same, token by token, or as many tokens where a host takes messages.
        compared: Log-probabilities that both told.
        largest: The largest difference between two of them, in nats; NaN where there is none to compare.
        mean: The mean difference.
        among: The largest difference once the labels of each judgement share out a probability of 1 among them, which
            is all that scores and preferences are made of; NaN where a text's likelihood is read.
        same_first: Judgements whose likeliest label is the same; where a text's likelihood is read, all of them.
        refused: Why one of the backends cannot be asked so; empty if both can.
    """

    elicitation: str
    judgement: str
    calls: int = 0
    failed: int = 0
    same_prompt: int = 0
    compared: int = 0
    largest: float = math.nan
    mean: float = math.nan
    among: float = math.nan
    same_first: int = 0
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Parity:
    """How two models compare.

    Attributes:
        rows: One for each of `CASES`.
    """

    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def compared(self) -> list[Row]:
        """The rows with log-probabilities of both models."""
        return [row for row in self.rows if row.compared]

    def beyond(self, tolerance: float) -> list[Row]:
        """The rows that differ by more than so many nats: among the labels of a judgement where there are labels."""
        return [row for row in self.compared if not (row.largest if math.isnan(row.among) else row.among) <= tolerance]

    def to_dict(self) -> list[dict[str, Any]]:
        """The rows as JSON has them."""
        return [plain(row) for row in self.rows]


def parity(
    first: str,
    second: str,
    asked: Sequence[tuple[Query, Sequence[Document]]] | None = None,
    *,
    queries: int = 4,
    depth: int = 5,
) -> Parity:
    """Puts the same judgements to two models, and measures how far their log-probabilities lie apart.

    Args:
        first: A MODEL.
        second: Another, or the same behind another engine.
        asked: Queries with some documents each, two at least; those of the sample that ships when left out.
        queries: How many queries of the sample.
        depth: Passages of each.

    Raises:
        InputError: A model that does not load.
        MissingExtra: A package is not installed.
        BackendError: One that cannot be used.
    """
    questions = sample_questions(queries, depth) if asked is None else asked
    panels = tuple(Panel(model, PromptSettings(), {}) for model in (first, second))
    for panel in panels:
        panel.check()

    async def compare() -> list[Row]:
        try:
            return [await _case(panels, name, kind, questions) for name, kind in CASES]
        finally:
            for panel in panels:
                await panel.backend.aclose()

    loop = BackgroundLoop()  # a notebook has one running in this thread
    try:
        return Parity(tuple(loop.submit(compare()).result()))
    finally:
        loop.close()


async def _case(
    panels: Sequence[Panel], name: str, kind: type, asked: Sequence[tuple[Query, Sequence[Document]]]
) -> Row:
    elicitation = ELICITATIONS[name]()
    try:
        judges = [panel.resolve(Ask((), elicitation), kind) for panel in panels]
    except CapabilityError as error:
        return Row(name, kind.__name__, refused=str(error))
    judgements = [judgement for query, documents in asked for judgement in _judgements(kind, query, documents)]
    works = [[judge.prepare(judgement) for judgement in judgements] for judge in judges]
    outcomes = [await judge.backend.complete_all(each) for judge, each in zip(judges, works, strict=True)]
    return _row(name, kind, works, outcomes)


def _judgements(kind: type, query: Query, documents: Sequence[Document]) -> list[Judgement]:
    if kind is Score:
        return [Score(query, doc) for doc in documents]
    if kind is Compare:
        return [Compare(query, *pair) for a, b in pairwise(documents) for pair in ((a, b), (b, a))]
    return [Permute(query, tuple(documents))]


def _row(name: str, kind: type, works: Any, outcomes: Any) -> Row:
    differences: list[float] = []
    among: list[float] = []
    failed = same_prompt = same_first = 0
    for a, b, one, two in zip(*works, *outcomes, strict=True):
        same_prompt += _same_prompt(a, b, one, two)
        if not (isinstance(one, Response) and isinstance(two, Response)):
            failed += 1
            continue
        pairs = zip(one.logprobs, two.logprobs, strict=True)
        told = [(x, y) for x, y in pairs if not math.isnan(x) and not math.isnan(y)]
        differences += [abs(x - y) for x, y in told]
        if name == "labels" and told:
            offset = log_sum_exp([x for x, _ in told]) - log_sum_exp([y for _, y in told])
            among += [abs(x - y - offset) for x, y in told]
        same_first += name == "likelihood" or _likeliest(one) == _likeliest(two)
    return Row(
        name,
        kind.__name__,
        calls=len(works[0]),
        failed=failed,
        same_prompt=same_prompt,
        compared=len(differences),
        largest=max(differences, default=math.nan),
        mean=sum(differences) / len(differences) if differences else math.nan,
        among=max(among, default=math.nan),
        same_first=same_first,
    )


def _likeliest(response: Response) -> int:
    return max(
        range(len(response.logprobs)), key=lambda i: (not math.isnan(response.logprobs[i]), response.logprobs[i])
    )


def _same_prompt(a: Request, b: Request, one: Outcome, two: Outcome) -> bool:
    if not (isinstance(a.prompt, ChatPrompt | TextPrompt) or isinstance(b.prompt, ChatPrompt | TextPrompt)):
        return a.prompt == b.prompt
    return (
        isinstance(one, Response) and isinstance(two, Response) and one.usage.prompt_tokens == two.usage.prompt_tokens
    )


def sample_questions(queries: int, depth: int) -> list[tuple[Query, list[Document]]]:
    """The first queries of the shipped sample, with the first passages of each."""
    run = read_run(sample_path("run.txt"))
    texts, corpus = read_queries(sample_path("queries.tsv")), read_corpus(sample_path("corpus.jsonl"))
    chosen = list(run.items())[:queries]
    return [(Query(query_id, texts[query_id]), [corpus[doc] for doc, _ in docs[:depth]]) for query_id, docs in chosen]
