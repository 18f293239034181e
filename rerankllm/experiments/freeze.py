"""Freezes datasets in an experiment's folder: they are read once, and later changes of the source do not matter."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import InputError
from rerankllm.experiments.config import Data
from rerankllm.experiments.folder import Dataset, Reordered
from rerankllm.files import replace_text, safe
from rerankllm.formats import beir, trec
from rerankllm.runs import provenance
from rerankllm.runs.source import Source, read_source

CANDIDATES = 100
"""How many candidates BM25 finds unless the configuration says otherwise."""
OWN_LEVEL = "relevant from"
"""The key, among a dataset's sources, of the lowest relevant grade that a named collection has."""


def freeze(name: str, data: Data, base: Path, folder: Path, known: Dataset | None) -> Dataset:
    """The dataset as the folder holds it.

    What the folder holds already must be of the same source; what it lacks is added.

    Args:
        name: Its name.
        data: Where it is to be read.
        base: The configuration's folder, which paths are relative to.
        folder: The experiment's folder.
        known: What the folder holds already.

    Raises:
        InputError: The dataset cannot be read, or the folder holds it from another source.
        MissingExtra: A package that reads it is not installed.
    """
    sources = {"texts": _texts(data, base)}
    sources |= {f"first stage {first}": _stage(data, first, base) for first in data.first_stages}
    for part, words in sources.items():
        frozen = known.sources.get(part, words) if known is not None else words
        if frozen != words:
            raise InputError(
                f"dataset {name}, {part}: {folder} holds {frozen}, and the configuration now says {words}; give it "
                "another name, or the experiment another --output"
            )
    missing = [first for first in data.first_stages if known is None or first not in known.first_stages]
    if known is not None and not missing:
        return replace(known, relevant_from=data.relevant_from or _own_level(known.sources))
    read = {first: _read(data, first) for first in missing if not isinstance(data.first_stages[first], Reordered)}
    place = Path("data", safe(name))
    (folder / place).mkdir(parents=True, exist_ok=True)
    dataset = known if known is not None and not read else _write_texts(folder, place, data, read, known)
    for first in sorted(missing, key=lambda each: isinstance(data.first_stages[each], Reordered)):
        value = data.first_stages[first]
        source = _reorder(folder, dataset, value) if isinstance(value, Reordered) else read[first]
        path = place / f"{safe(first)}.txt"
        replace_text(folder / path, "".join(_lines(query, candidates) for query, candidates in source.queries))
        provenance.write(folder / path, source.retrieval)
        orders = {**dataset.orders, first: value} if isinstance(value, Reordered) else dataset.orders
        stages = {**dataset.first_stages, first: path.as_posix()}
        dataset = replace(dataset, first_stages=stages, orders=orders)
    return replace(dataset, sources={**dataset.sources, **sources})


def load(folder: Path, dataset: Dataset, first: str) -> Source:
    """The queries and candidates of a first stage, as they were frozen."""
    parts = (dataset.first_stages[first], dataset.queries, dataset.corpus, dataset.qrels)
    run, queries, corpus, qrels = (folder / part for part in parts)
    return read_source(
        sample=False, run=run, queries=queries, corpus=corpus, requests=None, qrels=qrels, skip_missing=False
    )


def _texts(data: Data, base: Path) -> str:
    """The source of the texts, with paths as the configuration has them, so that both may move together."""
    if data.dataset is not None:
        return f"dataset {data.dataset}"
    return ", ".join(
        _written(path, base) for path in (data.queries, data.corpus, data.requests, data.qrels) if path is not None
    )


def _stage(data: Data, first: str, base: Path) -> str:
    value, cut = data.first_stages[first], f", {data.candidates} candidates" if data.candidates else ""
    if isinstance(value, Reordered):
        return f"{value.of} {value.order}{f' by seed {value.seed}' if value.order == 'shuffled' else ''}"
    if isinstance(value, Path):
        return f"{_written(value, base)}{cut}"
    return f"{_written(data.run, base) if data.run is not None else 'its own'}{cut}"


def _written(path: Path, base: Path) -> str:
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def _own_level(sources: Mapping[str, str]) -> int | None:
    """The lowest relevant grade that a collection by name has itself."""
    return int(sources[OWN_LEVEL]) if OWN_LEVEL in sources else None


def _read(data: Data, first: str) -> Source:
    value = data.first_stages[first]
    run = value if isinstance(value, Path) else data.run
    source = read_source(
        sample=False, run=run, queries=data.queries, corpus=data.corpus, requests=data.requests, qrels=data.qrels,
        skip_missing=data.skip_missing, dataset=data.dataset, depth=data.candidates or CANDIDATES,
    )  # fmt: skip
    source.tell_skipped()
    kept = [(query, candidates[: data.candidates]) for query, candidates in source.queries]
    return replace(source, queries=kept)


def _write_texts(folder: Path, place: Path, data: Data, read: Mapping[str, Source], known: Dataset | None) -> Dataset:
    """Writes queries, documents and judgements, together with those that the folder holds already."""
    queries: dict[str, str] = {} if known is None else beir.read_queries(folder / known.queries)
    documents: dict[str, Document] = {} if known is None else beir.read_corpus(folder / known.corpus)
    for source in read.values():
        for query, candidates in source.queries:
            queries.setdefault(query.query_id, query.text)
            for candidate in candidates:
                there = documents.setdefault(candidate.doc_id, candidate.document)
                if (there.text, there.title) != (candidate.document.text, candidate.document.title):
                    raise InputError(f"document {candidate.doc_id} comes with two texts: a corpus has one for each")
    plain = all(text == " ".join(text.split()) for text in queries.values())
    dataset = known or Dataset(
        (place / ("queries.tsv" if plain else "queries.jsonl")).as_posix(),
        (place / "corpus.jsonl").as_posix(),
        (place / "qrels.txt").as_posix(),
        {},
    )
    as_rows = dataset.queries.endswith(".jsonl")
    replace_text(
        folder / dataset.queries,
        "".join(f"{_json({'_id': q, 'text': text})}\n" if as_rows else f"{q}\t{text}\n" for q, text in queries.items()),
    )
    rows = ({"_id": doc.doc_id, "title": doc.title, "text": doc.text} for doc in documents.values())
    replace_text(folder / dataset.corpus, "".join(f"{_json(row)}\n" for row in rows))
    source = next(iter(read.values()))
    if known is None:
        qrels = source.judgements() or {}
        lines = (f"{q} 0 {doc_id} {grade}\n" for q, grades in qrels.items() for doc_id, grade in grades.items())
        replace_text(folder / dataset.qrels, "".join(lines))
    sources = dict(dataset.sources)
    if source.collection is not None:
        sources[OWN_LEVEL] = str(source.collection.relevant_from)
    return replace(dataset, sources=sources, relevant_from=data.relevant_from or _own_level(sources))


def _reorder(folder: Path, dataset: Dataset, order: Reordered) -> Source:
    """The candidates of another first stage, in this order."""
    from rerankllm.runs.reorder import reordered  # noqa: PLC0415  # loads NumPy

    base = load(folder, dataset, order.of)
    drawn = f" by seed {order.seed}" if order.order == "shuffled" else ""
    facts = {**base.retrieval.parameters, "order": f"{order.order}{drawn}"}
    queries = [(q, reordered(candidates, order.order, q.query_id, order.seed)) for q, candidates in base.queries]
    return replace(base, queries=queries, retrieval=replace(base.retrieval, parameters=facts))


def _lines(query: Query, candidates: Sequence[Candidate]) -> str:
    """The lines of a run: with the first stage's scores if they fall in this order, else with scores by rank."""
    scores = [candidate.score for candidate in candidates]
    falling = None not in scores and scores == sorted(scores, key=lambda score: -(score or 0.0))
    if falling:
        return "".join(
            f"{query.query_id} Q0 {c.doc_id} {rank} {float(c.score or 0)!r} first-stage\n"
            for rank, c in enumerate(candidates, 1)
        )
    file = StringIO()
    trec.write_run(file, query.query_id, [candidate.doc_id for candidate in candidates], "first-stage")
    return file.getvalue()


def _json(row: Mapping[str, str]) -> str:
    return json.dumps(row, ensure_ascii=False)
