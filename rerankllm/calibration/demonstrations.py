"""Worked examples of a comparison, shown before the question so that a judge sees each letter be right as often.

LLM-RankFusion (Zeng et al. 2024, section 4.1) puts one example in front of every comparison, in both orders: first
with A as its answer, then with B. Its code takes the example from the query's own judgements; an example here is never
of the query that is asked about.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerankllm.data import Document, Query
from rerankllm.errors import TemplateError


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A query, a passage that answers it, and one that does so less.

    Attributes:
        query: The query's text.
        better: The passage that wins.
        worse: The other.
        query_id: The query's id, where it has one.
    """

    query: str
    better: str
    worse: str
    query_id: str = ""


def example_for(query: Query, demonstrations: Sequence[Demonstration]) -> Demonstration:
    """The first of the examples that is not of this query, by its id and by its words.

    It is the first for as many queries as can be, so that prompts share their beginning, which engines keep.

    Raises:
        TemplateError: All of them are of this query.
    """
    words = normalized(query.text)
    for example in demonstrations:
        if normalized(example.query) != words and (not example.query_id or example.query_id != query.query_id):
            return example
    raise TemplateError(
        f"all {len(demonstrations)} worked examples are of the query that is asked about, '{query.text[:60]}': "
        "give examples of other queries too"
    )


def normalized(text: str) -> str:
    """What is left of a text without case, width, punctuation and white space."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def draw(
    queries: Mapping[str, str], qrels: Mapping[str, Mapping[str, int]], corpus: Mapping[str, Document]
) -> tuple[Demonstration, ...]:
    """One example of every judged query that has two documents of different grades, the clearest first.

    Of each query the best and the worst judged document are taken, the shortest of each grade, since an example is
    paid for with every call.

    Args:
        queries: Texts by query id.
        qrels: Grades by query and document id.
        corpus: Documents by id; those it lacks, and those without a word, are not taken.

    Returns:
        The examples, by the gap between their grades, then as the queries come.
    """
    found: list[tuple[int, Demonstration]] = []
    for query_id, text in queries.items():
        grades = {
            doc_id: grade
            for doc_id, grade in qrels.get(query_id, {}).items()
            if doc_id in corpus and normalized(corpus[doc_id].content)
        }
        gap = max(grades.values(), default=0) - min(grades.values(), default=0)
        if gap > 0 and normalized(text):
            by_length = sorted(grades, key=lambda doc_id: (len(corpus[doc_id].content), doc_id))
            better = max(by_length, key=lambda doc_id: grades[doc_id])
            worse = min(by_length, key=lambda doc_id: grades[doc_id])
            example = Demonstration(text, corpus[better].content, corpus[worse].content, query_id)
            found.append((gap, example))
    return tuple(example for _, example in sorted(found, key=lambda pair: -pair[0]))
