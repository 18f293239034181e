"""PyTerrier: a transformer that reranks result frames. It needs no Java."""

from rerankllm.errors import InputError, MissingExtra

try:
    import pandas as pd
    import pyterrier as pt
except ImportError as error:
    raise MissingExtra("the PyTerrier adapter needs pyterrier: pip install 'rerankllm[pyterrier]'") from error

from rerankllm.data import Candidate, Query
from rerankllm.formats.objects import to_candidates, to_query
from rerankllm.integrations.ranker import Ranker, RerankerSource
from rerankllm.reranker import Reranker


class RerankllmTransformer(pt.Transformer):
    """Reranks every query of a frame, all of them together.

    Frames have `qid`, `query`, `docno`, `text` and, where there was a first stage, `score`, by which documents are
    ordered before they are read. They come back whole and best first, with `score` and `rank` (from 0) anew and all
    other columns kept; `% k` cuts.

    Args:
        reranker: A ready reranker, instead of the next four.
        strategy: A stage spec; the model's default strategy when None.
        model: `kind:name[?key=value&…]`; the default model when None.
        instruction: What counts as relevant, for prompts that show it.
        passage_tokens: Cut of every passage.
        top_k: How many first places matter: the strategy aims for them, which cuts nothing.
        text_field: The column with the texts.

    Raises:
        InputError: A spec does not parse.
    """

    def __init__(
        self,
        reranker: Reranker | None = None,
        *,
        strategy: str | None = None,
        model: str | None = None,
        instruction: str | None = None,
        passage_tokens: int | None = None,
        top_k: int | None = None,
        text_field: str = "text",
    ) -> None:
        if top_k is not None and top_k < 1:
            raise InputError(f"top_k should be at least 1, found {top_k}")
        self._ranker = Ranker(RerankerSource(reranker, strategy, model, instruction, passage_tokens))
        self.reranker, self.strategy, self.model = reranker, strategy, model
        self.instruction, self.passage_tokens = instruction, passage_tokens
        self.top_k, self.text_field = top_k, text_field

    def transform(self, inp: pd.DataFrame) -> pd.DataFrame:
        """The frame, reranked.

        Raises:
            InputValidationError: A column is missing.
            QueryFailed: A query could not be ranked; there is no frame then. With a `Reranker` that keeps a journal,
                the next try asks only what is left.
        """
        with pt.validate.any(inp, context=self) as found:
            found.result_frame(extra_columns=["query", self.text_field])
        parts = [_by_score(part) for _, part in inp.groupby("qid", sort=False, dropna=False)]
        if not parts:
            return inp.assign(score=pd.Series(dtype=float), rank=pd.Series(dtype=int))
        ranked = []
        for part, places in zip(parts, self._ranker.rank_all(list(map(self._query, parts)), self.top_k), strict=True):
            rows = part.iloc[[index for index, _ in places]]
            ranked.append(rows.assign(score=[score for _, score in places], rank=range(len(places))))
        return pd.concat(ranked, ignore_index=True)

    def close(self) -> None:
        """Frees the model that was loaded here."""
        self._ranker.close()

    def __repr__(self) -> str:
        return f"RerankllmTransformer({self.strategy or ''})"

    def _query(self, part: pd.DataFrame) -> tuple[Query, list[Candidate]]:
        """A query and its candidates."""
        names = {"docno": "id", self.text_field: "text", "score": "score"}
        rows = part[[name for name in names if name in part]].rename(columns=names).to_dict("records")
        query = Query(str(part["qid"].iloc[0]), part["query"].iloc[0])
        try:
            return to_query(query), to_candidates(rows)
        except InputError as error:
            raise InputError(f"query {query.query_id}: {error}") from error


def _by_score(part: pd.DataFrame) -> pd.DataFrame:
    """A query's rows in the order of the first stage."""
    return part.sort_values("score", ascending=False, kind="stable") if "score" in part else part
