"""Diagnoses a judge by the answers that a recording of it holds; nothing is asked."""

from collections.abc import Mapping, Sequence

from rerankllm.analysis.diagnose.probe import PROBES, Answers
from rerankllm.backends.recorded import Recorded
from rerankllm.data import Candidate, Query
from rerankllm.drivers.events import Judged
from rerankllm.errors import InputError
from rerankllm.judgements import IN_WORDS
from rerankllm.spec.model import ModelSpec

Queries = Sequence[tuple[Query, Sequence[Candidate]]]


def recording(model: str | None, options: Mapping[str, str] | None) -> Recorded | None:
    """The recording that a model names; None where it names no recording.

    Raises:
        InputError: It cannot be read.
    """
    spec = None if model is None else ModelSpec.parse(model)
    if spec is None or spec.kind != "recorded":
        return None
    found = spec.load(options)
    assert isinstance(found, Recorded)  # noqa: S101  # by its name
    return found


def heard(judge: Recorded, queries: Queries) -> tuple[Answers, Queries]:
    """What it holds about these queries and their candidates, and the queries that it holds anything about.

    Raises:
        InputError: It holds no comparison and no list about them.
    """
    if not judge.capabilities.answers & set(PROBES):
        kinds = " and ".join(sorted(IN_WORDS[kind] for kind in judge.capabilities.answers))
        raise InputError(f"{judge.model} was only asked to {kinds}: a diagnosis needs comparisons or lists")
    answers, chosen = Answers(), []
    for query, candidates in queries:
        for judgement, reply in judge.heard(PROBES, query, [candidate.document for candidate in candidates]):
            answers(Judged(query, judgement, reply.answer, reply.report, reply.usage))
        if answers.judged[query.query_id]:
            chosen.append((query, candidates))
    if not chosen:
        raise InputError(
            f"{judge.model} holds no comparison and no list about these queries' documents: it was recorded for other "
            "queries, from another corpus, or deeper than --depth"
        )
    return answers, chosen
