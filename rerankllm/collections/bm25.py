"""A first stage by BM25, through bm25s: Lucene's variant with Anserini's k1 and b.

Texts are streamed and only their term numbers held (4 bytes a term) until the index is built; it is then kept in the
cache folder and memory-mapped. Ties are broken by doc_id, the smaller first, so a run does not depend on the order of
the corpus.
"""

import hashlib
import json
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rerankllm.collections.analysis import NEEDED, NO_STEMMER, Analyzer
from rerankllm.collections.documents import Documents
from rerankllm.data import Document
from rerankllm.errors import InputError, MissingExtra

MOST_DOCUMENTS = 20_000_000
"""Above this an index would need more than some 20 GB of memory; MS MARCO's first version has 8.8 million."""
TIES = "score descending, then doc_id ascending"


@dataclass(frozen=True, slots=True)
class Bm25Settings:
    """What a BM25 run depends on, besides the collection.

    Attributes:
        k1: Term frequency saturation.
        b: Length normalization.
        stemmer: See `Analyzer`.
        depth: Documents a query.
    """

    k1: float = 0.9
    b: float = 0.4
    stemmer: str = "porter"
    depth: int = 100

    def facts(self, language: str) -> dict[str, Any]:
        """The same for a run's provenance."""
        stemmer = NO_STEMMER if language == "zh" else self.stemmer
        return {"variant": "lucene", "k1": self.k1, "b": self.b, "stemmer": stemmer, "depth": self.depth,
                "fields": "title and text"}  # fmt: skip


def bm25s_version() -> str:
    """The version of bm25s; raises MissingExtra where there is none."""
    return str(_library().__version__)


def _library() -> Any:
    try:
        import bm25s  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra(f"BM25 needs bm25s: {NEEDED}") from error
    return bm25s


class Searchable(Protocol):
    """What is searched: the part of a collection that BM25 looks at."""

    @property
    def name(self) -> str: ...

    @property
    def origin(self) -> str: ...

    @property
    def queries(self) -> Mapping[str, str]: ...

    @property
    def documents(self) -> Documents: ...

    @property
    def excluded(self) -> Mapping[str, frozenset[str]]: ...

    @property
    def members(self) -> Mapping[str, Any]: ...

    @property
    def language(self) -> str: ...


def retrieve(
    collection: Searchable, settings: Bm25Settings, tell: Callable[[str], None] = lambda _: None
) -> dict[str, list[tuple[str, float]]]:
    """The best documents of every query, without those the collection excludes.

    Members of a collection are searched each by itself. A document that shares no term with the query is not found,
    so a list may be shorter than the depth, or empty.

    Args:
        collection: What is searched.
        settings: How.
        tell: Gets a line before an index is built.

    Raises:
        InputError: The collection is too large for an index in memory, or holds no terms.
        MissingExtra: bm25s or the stemmer is not installed.
    """
    if collection.members:
        return {
            f"{prefix}/{query_id}": [(f"{prefix}/{doc_id}", score) for doc_id, score in found]
            for prefix, member in collection.members.items()
            for query_id, found in retrieve(member, settings, tell).items()
        }
    index = open_index(collection, settings, tell)
    none: frozenset[str] = frozenset()
    return {
        query_id: index.search(text, settings.depth, collection.excluded.get(query_id, none))
        for query_id, text in collection.queries.items()
    }


@dataclass(frozen=True, slots=True)
class Index:
    """An index with the ids of its documents, in its order."""

    scorer: Any
    doc_ids: list[str]
    terms: Callable[[str], list[str]]

    def search(self, query: str, depth: int, excluded: frozenset[str] = frozenset()) -> list[tuple[str, float]]:
        """The best `depth` documents with their BM25 scores, ties by doc_id."""
        import numpy as np  # noqa: PLC0415

        known = self.scorer.get_tokens_ids(self.terms(query))
        if not known:
            return []
        scores = self.scorer.get_scores_from_ids(known)
        found = np.flatnonzero(scores > 0)
        wanted = depth + len(excluded)
        if len(found) > wanted:
            found = found[scores[found] >= np.partition(scores[found], -wanted)[-wanted]]
        ranked = sorted((-float(scores[i]), self.doc_ids[i]) for i in found)
        return [(doc_id, -score) for score, doc_id in ranked if doc_id not in excluded][:depth]


def open_index(collection: Searchable, settings: Bm25Settings, tell: Callable[[str], None] = lambda _: None) -> Index:
    """The kept index of the collection, or a new one; raises as `retrieve`."""
    from platformdirs import user_cache_path  # noqa: PLC0415

    terms = Analyzer(collection.language, settings.stemmer).terms()
    key = [collection.origin, settings.facts(collection.language) | {"depth": None}, bm25s_version()]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
    folder = user_cache_path("rerankllm") / "bm25" / f"{collection.name.replace('/', '-')}-{digest}"
    if not folder.is_dir():
        size = len(collection.documents)
        if size > MOST_DOCUMENTS:
            raise InputError(
                f"{collection.name} has {size:,} documents, too many for BM25 in memory; give --run with a run of yours"
            )
        tell(f"building a BM25 index of {size:,} documents, to be kept in {folder}")
        _build(collection, settings, terms, folder)
    scorer = _library().BM25.load(folder, mmap=True, show_progress=False)
    return Index(scorer, json.loads((folder / "doc_ids.json").read_text(encoding="utf-8")), terms)


def _build(collection: Searchable, settings: Bm25Settings, terms: Callable[[str], list[str]], folder: Path) -> None:
    """Builds beside the folder and renames, so that a folder that is there is whole."""
    corpus = _Terms.of(collection.documents, terms)
    if not corpus.vocab:
        raise InputError(f"{collection.name} holds no text that BM25 could index")
    library = _library()
    scorer = library.BM25(k1=settings.k1, b=settings.b, method="lucene")
    scorer.index(corpus, show_progress=False)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        scorer.save(part, show_progress=False)
        (part / "doc_ids.json").write_text(json.dumps(corpus.doc_ids), encoding="utf-8")
        part.rename(folder)
    except OSError:
        if not folder.is_dir():  # unless another process was faster
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Terms:
    """The terms of a corpus as bm25s takes them, `ids` and `vocab`, in two flat arrays instead of lists of lists."""

    doc_ids: list[str]
    vocab: dict[str, int]
    numbers: "array[int]"
    ends: "array[int]"

    @classmethod
    def of(cls, documents: Any, terms: Callable[[str], list[str]]) -> "_Terms":
        corpus = cls([], {}, array("i"), array("q"))
        document: Document
        for document in documents:
            corpus.doc_ids.append(document.doc_id)
            corpus.numbers.extend(corpus.vocab.setdefault(t, len(corpus.vocab)) for t in terms(document.content))
            corpus.ends.append(len(corpus.numbers))
        return corpus

    @property
    def ids(self) -> "_Terms":
        return self

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[list[int]]:
        start = 0
        for end in self.ends:
            yield self.numbers[start:end].tolist()
            start = end


def strictly_falling(found: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The same with scores that fall strictly in float32, so that trec_eval keeps this order among ties."""
    import numpy as np  # noqa: PLC0415

    written: list[tuple[str, float]] = []
    below = np.float32(np.inf)
    for doc_id, score in found:
        below = min(np.float32(score), np.nextafter(below, np.float32(-np.inf)))
        written.append((doc_id, float(str(below))))
    return written
