"""The names of everything a spec can name, each imported on first use: adding one is a line here."""

import difflib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rerankllm.errors import SpecError


class Registry:
    """Names and what they stand for, imported on first use.

    Args:
        kind: What the names are ("strategy"), for error messages.
        entries: Name to "module:attribute".
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries: dict[str, str | type] = dict(entries)

    def register(self, name: str, target: type) -> None:
        """Adds an entry of your own under `name`."""
        self._entries[name] = target

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __getitem__(self, name: str) -> Any:
        entry = self._entries.get(name)
        if entry is None:
            raise SpecError(f"unknown {self.kind} '{name}'{instead(name, self._entries)}")
        if isinstance(entry, str):
            module, attribute = entry.split(":")
            entry = self._entries[name] = getattr(importlib.import_module(module), attribute)
        return entry

    def name_of(self, cls: type) -> str:
        """The name under which `cls` is registered."""
        for name in self:
            if self[name] is cls:
                return name
        raise SpecError(f"{cls.__name__} is not registered: {self.kind.upper()} registry .register(name, class)")


STRATEGIES = Registry(
    "strategy",
    {
        "pointwise": "rerankllm.strategies.pointwise:Pointwise",
        "prp": "rerankllm.strategies.prp:Prp",
        "setwise": "rerankllm.strategies.setwise:Setwise",
        "tournament": "rerankllm.strategies.tournament:Tournament",
        "tourrank": "rerankllm.strategies.tourrank:TourRank",
        "elimination": "rerankllm.strategies.elimination:Elimination",
        "swiss": "rerankllm.strategies.swiss:Swiss",
        "sliding": "rerankllm.strategies.sliding:Sliding",
        "full": "rerankllm.strategies.full:Full",
        "tdpart": "rerankllm.strategies.tdpart:TDPart",
        "blitzrank": "rerankllm.strategies.blitzrank:BlitzRank",
        "listk": "rerankllm.strategies.listk:ListK",
        "jointrank": "rerankllm.strategies.jointrank:JointRank",
        "group": "rerankllm.strategies.group:Group",
        "acurank": "rerankllm.strategies.acurank:AcuRank",
        "active": "rerankllm.strategies.active:Active",
        "iranker": "rerankllm.strategies.iranker:IRanker",
        "dualend": "rerankllm.strategies.dualend:DualEnd",
        "snow": "rerankllm.strategies.snow:Snow",
        "criteria": "rerankllm.strategies.criteria:Criteria",
        "embed": "rerankllm.strategies.embed:CosineSimilarity",
        "e2rank": "rerankllm.strategies.e2rank:E2Rank",
        "cascade": "rerankllm.strategies.cascade:Cascade",
        "psc": "rerankllm.strategies.psc:PermutationSelfConsistency",
        "samples": "rerankllm.strategies.samples:Samples",
        "maxp": "rerankllm.strategies.maxp:MaxP",
        "interpolate": "rerankllm.strategies.interpolate:Interpolate",
        "rankfusion": "rerankllm.strategies.rankfusion:RankFusion",
    },
)
ELICITATIONS = Registry(
    "elicitation",
    {
        "text": "rerankllm.elicitation.text:Text",
        "labels": "rerankllm.elicitation.logprobs:Labels",
        "likelihood": "rerankllm.elicitation.likelihood:Likelihood",
        "reasoning": "rerankllm.elicitation.reasoning:Reasoning",
        "similarity": "rerankllm.elicitation.similarity:Similarity",
        "attention": "rerankllm.elicitation.attention:Attention",
        "vectors": "rerankllm.elicitation.vectors:Vectors",
        "verdict": "rerankllm.elicitation.verdict:Verdict",
    },
)
AGGREGATIONS = Registry(
    "aggregation",
    {
        "rrf": "rerankllm.aggregation.rrf:ReciprocalRankFusion",
        "combsum": "rerankllm.aggregation.combsum:CombSum",
        "combmnz": "rerankllm.aggregation.combmnz:CombMnz",
        "borda": "rerankllm.aggregation.borda:Borda",
        "dowdall": "rerankllm.aggregation.dowdall:Dowdall",
        "plurality": "rerankllm.aggregation.plurality:Plurality",
        "threshold": "rerankllm.aggregation.threshold:Threshold",
        "median": "rerankllm.aggregation.median:MedianRank",
        "bradley_terry": "rerankllm.aggregation.bradley_terry:BradleyTerry",
        "zermelo": "rerankllm.aggregation.zermelo:Zermelo",
        "rank_centrality": "rerankllm.aggregation.rank_centrality:RankCentrality",
        "pagerank": "rerankllm.aggregation.pagerank:PageRank",
        "elo": "rerankllm.aggregation.elo:Elo",
        "win_rate": "rerankllm.aggregation.win_rate:WinRate",
        "copeland": "rerankllm.aggregation.copeland:Copeland",
        "minimax": "rerankllm.aggregation.minimax:Minimax",
        "baldwin": "rerankllm.aggregation.baldwin:Baldwin",
        "condorcet": "rerankllm.aggregation.condorcet:Condorcet",
        "kemeny": "rerankllm.aggregation.kemeny:Kemeny",
        "mallows": "rerankllm.aggregation.mallows:Mallows",
        "best_path": "rerankllm.aggregation.best_path:BestPath",
        "robust": "rerankllm.aggregation.robust:Robust",
    },
)
BACKENDS = Registry(
    "backend",
    {
        "llamacpp": "rerankllm.backends.llamacpp.backend:LlamaCpp",
        "openai": "rerankllm.backends.openai.backend:OpenAI",
        "litellm": "rerankllm.backends.litellm:LiteLLM",
        "hf": "rerankllm.backends.hf.backend:HuggingFace",
        "vllm": "rerankllm.backends.vllm.backend:VLLM",
        "cross-encoder": "rerankllm.backends.cross_encoder:CrossEncoder",
        "embed": "rerankllm.backends.embed.backend:Embeddings",
        "cohere": "rerankllm.backends.rerank_api.kinds:Cohere",
        "jina": "rerankllm.backends.rerank_api.kinds:Jina",
        "voyage": "rerankllm.backends.rerank_api.kinds:Voyage",
        "mixedbread": "rerankllm.backends.rerank_api.kinds:Mixedbread",
        "zeroentropy": "rerankllm.backends.rerank_api.kinds:ZeroEntropy",
        "nvidia": "rerankllm.backends.rerank_api.kinds:Nvidia",
        "tei": "rerankllm.backends.rerank_api.kinds:Tei",
        "rerank": "rerankllm.backends.rerank_api.backend:RerankApi",
        "recorded": "rerankllm.backends.recorded:Recorded",
        "oracle": "rerankllm.backends.oracle:Oracle",
        "simulated": "rerankllm.backends.simulated:Simulated",
    },
)


def instead(name: str, known: Iterable[str]) -> str:
    """What to say after an unknown name: the one that may have been meant, and all there are."""
    names = list(known)
    close = difflib.get_close_matches(name, names, 1)
    hint = f"; did you mean '{close[0]}'?" if close else "."
    return f"{hint} There are: {', '.join(names) or 'none'}"
