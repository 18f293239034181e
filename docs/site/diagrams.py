"""A drawing of what a strategy asks about ten documents: its own generator is run, and every answer is right."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from rerankllm.data import Candidate, Document, Query
from rerankllm.judgements import (
    Assess,
    Assessment,
    Compare,
    Criterion,
    Draft,
    Embed,
    Ends,
    Grade,
    Permute,
    Score,
    Select,
    WeakOrder,
    Write,
)
from rerankllm.spec.stage import Stage

SMALL = {
    "sliding": "sliding(window=4, stride=2)",
    "prp": "prp(sort=heap, top_k=3)",
    "setwise": "setwise(c=3, top_k=3)",
    "tournament": "tournament(m=3, winners=1, top_k=2)",
    "tourrank": "tourrank(rounds=1)",
    "tdpart": "tdpart(window=4, top_k=2)",
    "blitzrank": "blitzrank(window=4, top_k=3)",
    "listk": "listk(window=4, pivots=2, top_k=3)",
    "jointrank": "jointrank(block=4, replicas=2, design=equi)",
    "group": "group(size=4, regroupings=2)",
    "acurank": "acurank(window=4, top_k=3, max_calls=8)",
    "active": "active(slots=24, window=4, top_k=3, batch=2)",
    "e2rank": "e2rank(feedback=3)",
    "criteria": "criteria(count=2)",
    "dualend": "dualend(top_k=5)",
    "snow": "snow(window=4)",
    "cascade": "cascade([pointwise, sliding(window=4, stride=2)], depths=[10, 6])",
    "psc": "psc(full(top_k=5), shuffles=3)",
    "interpolate": "interpolate(sliding(window=4, stride=2), weight=0.5)",
    "rankfusion": "rankfusion([prp(sort=heap, top_k=2), prp(sort=bubble, top_k=2)])",
    "samples": "samples(pointwise / reasoning(temperature=0.7), samples=3)",
    "maxp": "maxp(pointwise, passage_words=2, stride_words=2)",
}
"""What is drawn of strategies that would ask everything at once about so few, or nothing worth seeing."""
N, MOST = 10, 48
"""Documents, and calls that are drawn."""
STEP, ROW, LEFT, TOP, GAP = 13, 16, 34, 30, 12
RELEVANT = {"3": 3, "6": 2, "8": 1, "9": 3}
"""Grades of the documents, by their place in the first stage's order from 1."""
WRITTEN = 2
"""The grade of a passage that the model writes."""
WORDS = {
    "Score": "score one document", "Compare": "compare two documents", "Select": "choose the best of a group",
    "Ends": "name the best and the worst", "Draft": "write a passage",
    "Permute": "order a list", "Grade": "grade each document of a list", "Write": "write criteria",
    "Assess": "grade one document by criteria", "Embed": "embed documents",
}  # fmt: skip


def diagram(name: str) -> str:
    """The drawing for the page of a strategy, as SVG with a caption in Markdown."""
    spec = SMALL.get(name, name)
    rounds = asked(spec)
    calls = sum(map(len, rounds))
    kinds = list(dict.fromkeys(type(judgement).__name__ for batch in rounds for judgement in batch))
    more = f" The first {MOST} of {calls} calls are drawn." if calls > MOST else ""
    said = " or ".join(WORDS[kind] for kind in kinds)
    counted = f"{_plural(calls, 'call')} in {_plural(len(rounds), 'round')}"
    return (
        f"{_svg(rounds, spec)}\n\n`{spec}` on ten documents, all answers right: {counted}. Each column is a call "
        f"that asks the model to {said}; dots mark the documents it shows, by their place in the first stage's order. "
        "Calls between two lines are one round, so they can run at the same time. Filled dots are relevant documents."
        f"{more}"
    )


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def asked(spec: str) -> list[tuple[Any, ...]]:
    """The judgements that a strategy asks, round by round."""
    query = Query("q", "a query")
    candidates = [Candidate(Document(str(i), f"passage {i} of ten"), float(N - i)) for i in range(1, N + 1)]
    steps = Stage.parse(spec).strategy.rank(query, candidates)
    rounds: list[tuple[Any, ...]] = []
    batch = next(steps)
    try:
        while True:
            rounds.append(tuple(batch.judgements))
            batch = steps.send([_right(judgement) for judgement in batch.judgements])
    except StopIteration:
        return [each for each in rounds if each]


def _worth(document: Document) -> int:
    return WRITTEN if document.doc_id == "pivot" else RELEVANT.get(_place(document), 0)


def _place(document: Document) -> str:
    """The document's place in the first stage's order; of a part of a document, the document's."""
    return document.doc_id.split("#")[0].split("%")[0].split(":")[0]


def _right(judgement: Any) -> Any:  # noqa: C901, PLR0911 - a case a kind of judgement
    """The answer that the grades give."""
    match judgement:
        case Score(doc=doc):
            return float(_worth(doc))
        case Compare(first=first, second=second):
            return 0.5 if _worth(first) == _worth(second) else float(_worth(first) > _worth(second))
        case Select(docs=docs):
            best = sorted(docs, key=lambda doc: (1 if judgement.worst else -1) * _worth(doc))
            return tuple(doc.doc_id for doc in best[: judgement.m])
        case Ends(docs=docs):
            order = sorted(docs, key=lambda doc: -_worth(doc))
            return order[0].doc_id, order[-1].doc_id
        case Draft():
            return "a passage of grade 2"
        case Permute(docs=docs):
            order = sorted(docs, key=lambda doc: -_worth(doc))
            kept = order[: judgement.decode]
            groups = tuple((doc.doc_id,) for doc in kept)
            return WeakOrder(groups, tuple(doc.doc_id for doc in docs if doc not in kept))
        case Grade(docs=docs):
            return tuple(float(_worth(doc)) for doc in docs)
        case Write():
            return (Criterion("relevance"), Criterion("detail"))
        case Assess(doc=doc):
            return Assessment(tuple(float(_worth(doc)) for _ in judgement.criteria), ("",) * len(judgement.criteria))
        case Embed(docs=docs):
            return np.array([[1.0, 0.0], *([_worth(doc) / 3, 1.0] for doc in docs)])
    raise TypeError(judgement)


def _svg(rounds: Sequence[tuple[Any, ...]], spec: str) -> str:
    """Documents as rows, calls as columns, rounds between lines."""
    parts, x, drawn = [], float(LEFT), 0
    height = TOP + ROW * N + 8
    for number, batch in enumerate(rounds, 1):
        if drawn >= MOST:
            break
        start = x
        for judgement in batch[: MOST - drawn]:
            parts += _column(judgement, x + STEP / 2)
            x += STEP
            drawn += 1
        parts.append(f'<text x="{(start + x) / 2:g}" y="{TOP - 14}" text-anchor="middle">{number}</text>')
        x += GAP
        parts.append(f'<path d="M{x - GAP / 2:g} {TOP - 8}V{height}" class="line"/>')
    rows = [
        f'<text x="{LEFT - 8}" y="{TOP + ROW * (i - 0.5) + 4:g}" text-anchor="end">{i}</text>' for i in range(1, N + 1)
    ]
    head = f'<text x="{LEFT - 8}" y="{TOP - 14}" text-anchor="end">round</text>'
    label = html.escape(f"What {spec} asks about ten documents")
    return (
        f'<svg class="asks" role="img" aria-label="{label}" width="{x + 4:g}" height="{height + 4}" '
        f'viewBox="0 0 {x + 4:g} {height + 4}">{head}{"".join(rows)}{"".join(parts)}</svg>'
    )


def _column(judgement: Any, x: float) -> list[str]:
    """One call: the documents it shows."""
    places = sorted({int(_place(document)) for document in judgement.docs if document.doc_id != "pivot"})
    heights = [TOP + ROW * (place - 0.5) for place in places]
    if not heights:
        return [f'<rect x="{x - 4:g}" y="{TOP:g}" width="8" height="{ROW * N}" class="none"/>']
    line = [f'<path d="M{x:g} {heights[0]:g}V{heights[-1]:g}" class="call"/>'] if len(heights) > 1 else []
    dots = [
        f'<circle cx="{x:g}" cy="{y:g}" r="4"{"" if str(place) in RELEVANT else " class=&quot;other&quot;"}/>'
        for place, y in zip(places, heights, strict=True)
    ]
    return [*line, *(dot.replace("&quot;", '"') for dot in dots)]
