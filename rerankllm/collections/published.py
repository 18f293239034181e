"""First-stage runs that others have published, by name: rank_llm's, of BM25, SPLADE++, TAS-B and OpenAI's ada-002.

`castorini/rank_llm_data` on the hub has them as `retrieve_results/METHOD/retrieve_results_DATASET_top100.jsonl`, and
`…top1000.jsonl`: castorini's JSONL, with the texts. Names and collections are those of rank_llm 0.25
(`retrieve/utils.py`, `pyserini_retriever.py`, `indices_dict.py`). huggingface_hub fetches and caches the files.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rerankllm.collections.base import CacheLocation, Collection, FirstStage, fetching
from rerankllm.errors import InputError
from rerankllm.formats.castorini import read_requests
from rerankllm.registry import instead

REPOSITORY = "castorini/rank_llm_data"
RETRIEVERS = {
    "bm25": "BM25",
    "splade++": "SPLADE_P_P_ENSEMBLE_DISTIL",
    "tas-b": "D_BERT_KD_TASB",
    "ada-002": "OPEN_AI_ADA2",
}
_DATASETS = {
    **{f"dl{year}": f"dl{year}" for year in (19, 20, 21, 22, 23)},
    **{f"beir/{name}": name for name in ("arguana", "fever", "fiqa", "quora", "robust04", "scidocs", "scifact")},
    "beir/trec-covid": "covid", "beir/dbpedia-entity": "dbpedia", "beir/trec-news": "news", "beir/nfcorpus": "nfc",
    "beir/signal1m": "signal", "beir/webis-touche2020": "touche",
}  # fmt: skip
"""Names here, and there: what all of the retrievers but BM25 and SPLADE++ stop at."""
_MORE = {f"beir/{name}": name for name in ("bioasq", "climate-fever", "hotpotqa", "nq")}
_SHORT = 100


def place(name: str, retriever: str, depth: int = _SHORT) -> CacheLocation:
    """Where huggingface_hub keeps the run."""
    try:
        from huggingface_hub import constants, try_to_load_from_cache  # noqa: PLC0415
    except ImportError:
        return CacheLocation("the cache of huggingface_hub", cached=False)
    found = try_to_load_from_cache(REPOSITORY, _file(name, retriever, depth), repo_type="dataset")
    folder = Path(constants.HF_HUB_CACHE) / "datasets--castorini--rank_llm_data"
    return CacheLocation(str(folder), cached=isinstance(found, str))


def first_stage(collection: Collection, retriever: str, depth: int = _SHORT) -> FirstStage:
    """The published run of a collection.

    Args:
        collection: Whose queries are looked up; those without judgements are left out.
        retriever: One of RETRIEVERS.
        depth: Documents a query, at most 1,000.

    Raises:
        InputError: There is no such run, or it can be neither found nor fetched, or lacks a query.
        MissingExtra: huggingface_hub is not installed.
    """
    file, where = _file(collection.name, retriever, depth), place(collection.name, retriever, depth)
    with fetching(f"{retriever}'s run of {collection.name}", where):
        from huggingface_hub import hf_hub_download  # noqa: PLC0415

        path = hf_hub_download(REPOSITORY, file, repo_type="dataset")
    run = {
        query.query_id: [(candidate.doc_id, candidate.score or 0.0) for candidate in candidates[:depth]]
        for query, candidates in read_requests(path)
        if query.query_id in collection.queries
    }
    _whole(collection, run, file)
    return FirstStage(run, f"{retriever}, huggingface.co/datasets/{REPOSITORY} {file}")


def _file(name: str, retriever: str, depth: int) -> str:
    """The file, by the names it has there."""
    if retriever not in RETRIEVERS:
        raise InputError(f"no published runs of '{retriever}'{instead(retriever, list(RETRIEVERS))}")
    datasets: Mapping[str, str] = {**_DATASETS, **_MORE} if retriever in {"bm25", "splade++"} else _DATASETS
    if name not in datasets:
        raise InputError(f"no run of {retriever} is published for {name}. There are: {', '.join(sorted(datasets))}")
    most = _SHORT if depth <= _SHORT else 1000
    return f"retrieve_results/{RETRIEVERS[retriever]}/retrieve_results_{datasets[name]}_top{most}.jsonl"


def _whole(collection: Collection, run: Mapping[str, Sequence[object]], file: str) -> None:
    missing = [query_id for query_id in collection.queries if query_id not in run]
    if missing:
        raise InputError(f"{REPOSITORY} {file} lacks {len(missing)} queries of {collection.name}, such as {missing[0]}")
