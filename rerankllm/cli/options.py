"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from rerankllm.calibration.cutoff import Cutoff
from rerankllm.cli import completion as completing
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.recipe import DEFAULT_MODEL
from rerankllm.drivers.unusable import Unusable
from rerankllm.errors import InputError
from rerankllm.notes import tell
from rerankllm.spec.model import ModelSpec

EngineName: TypeAlias = Literal["here", "ray"]
Run: TypeAlias = Annotated[Path | None, typer.Option(help="TREC run of the first stage (may be .gz).")]
Queries: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Query texts: qid<TAB>text lines, JSON lines, CSV, TSV or Parquet; or a BEIR folder."),
]
Corpus: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Documents: JSON lines (BEIR's corpus.jsonl), CSV, TSV or Parquet; or a BEIR folder."),
]
Requests: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="Instead of run, queries and corpus: queries with their candidates' texts, as Castorini's JSON lines, or "
        "as Parquet (a file or a folder) with query_id, query and candidates."
    ),
]
TextColumn: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of the texts, if it is not called text, contents, passage, …")
]
IdColumn: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of the ids, if it is not called id, doc_id, _id, docno, …")
]
TitleColumn: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of the titles, if it is not called title.")
]
ScoreColumn: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of the first stage's scores, if it is not called score.")
]
QueryColumn: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of the query texts, if it is not called query, text, …")
]
QueryIdColumn: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of the query ids, if it is not called query_id, qid, id, …")
]
SkipMissing: TypeAlias = Annotated[
    bool, typer.Option("--skip-missing", help="Leave out queries and documents that have no text.")
]
Strategy: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        autocompletion=completing.strategies,
        help="Such as 'sliding(window=20, stride=10)', 'prp(sort=heap) / labels'; see `rerankllm strategies`. The "
        "model's own default when left out.",
    ),
]
NeededStrategy: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="SPEC", autocompletion=completing.strategies, help="The strategy; see `rerankllm strategies`."
    ),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        autocompletion=completing.models,
        help="kind:name[?key=value&…], such as embed:minilm (the default), openai:NAME; see `rerankllm models`.",
    ),
]
BaseUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Address of an OpenAI-compatible server, such as http://localhost:8000/v1."),
]
Instruction: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="What counts as relevant, in your words; shown to the model."),
]
PassageTokens: TypeAlias = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Cut every passage to N tokens of the model.")
]
Demonstrations: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|FOLDER",
        help="Worked examples to show before comparisons, in both orders and never of the query asked about: JSON "
        "lines of query, better and worse, or a folder with judged queries.",
    ),
]
TopK: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="K",
        help="How many first places matter to you; some strategies then spend less on the others. The run still holds"
        " all documents.",
    ),
]
Truncate: TypeAlias = Annotated[
    int | None, typer.Option(min=1, metavar="K", help="Write only the first K documents of each query.")
]
Concurrency: TypeAlias = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="How many calls run at a time, for models behind an API.")
]
Seed: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Seed for models that sample, if their API takes one.")
]
MaxCalls: TypeAlias = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Budget: calls of the whole run; those that the journal answers count, too."),
]
MaxTokens: TypeAlias = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Budget: prompt and completion tokens together.")
]
MaxCost: TypeAlias = Annotated[float | None, typer.Option(min=0, metavar="USD", help="Budget: US dollars.")]
MaxSeconds: TypeAlias = Annotated[
    float | None, typer.Option(min=0, metavar="S", help="Budget: seconds, after which nothing more is sent.")
]
MaxSearches: TypeAlias = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Budget: search units, in which some reranking APIs count (cohere:)."),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Print how many calls, tokens and dollars it will take; send nothing.")
]
CutoffRule: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help="Where each ranking ends, by the calibration. auto: where the expected F1 is best. precision=P: the "
        "longest list that is expected to be so precise. recall=R: on average, this share of what is relevant is"
        " kept (conformal). A query of which nothing is kept has not failed: it is named, and listed in "
        "OUTPUT.empty.",
    ),
]
PerQuery: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="LIMITS",
        help="What each query may spend: calls, tokens, cost, seconds or searches, such as tokens=20000,seconds=2. "
        "When it is spent, `active` ends with the order that it has; with other strategies the query fails.",
    ),
]
WhenUnusable: TypeAlias = Annotated[
    Unusable,
    typer.Option(
        help="What to do when an answer cannot be used. keep: ask once more, with the documents in another order; if "
        "that fails too, go on without the answer (a window keeps its order, a pair is tied). The query fails "
        "when half of its answers cannot be used. fail: do not ask again; the query fails, unless its strategy "
        "can do without the answer.",
    ),
]
JudgeProfile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A profile of this model that `rerankllm judge-profile` wrote; it sets the parameters of `active`.",
    ),
]
Engine: TypeAlias = Annotated[
    EngineName,
    typer.Option(help="Where it runs: in this process, or on the workers of a Ray cluster (docs/scaling.md)."),
]
RayAddress: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="Ray: the cluster; $RAY_ADDRESS, else one on this machine for as long as it runs."
    ),
]
Workers: TypeAlias = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Ray: processes with an engine each; 1 if not given.")
]
GpusPerWorker: TypeAlias = Annotated[
    float | None, typer.Option(min=0, metavar="G", help="Ray: GPUs of each worker, such as 1 or 0.5.")
]
WorkerJournals: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="Ray: where each worker keeps its journal until all are merged into --journal; '$SCRATCH/…' is read on "
        "each node. JOURNAL.parts if not given.",
    ),
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]


def cutoff_of(rule: str | None, threshold: float | None) -> Cutoff | None:
    """The cut-off that the options ask for."""
    if rule is not None and threshold is not None:
        raise InputError("--cutoff and --threshold each say where to stop: leave one out")
    if threshold is not None:
        rule = f"threshold={threshold}"
    return None if rule is None else Cutoff.parse(rule)


def model_options(
    model: str | None,
    *,
    base_url: str | None = None,
    concurrency: int | None = None,
    seed: int | None = None,
    batch: bool = False,
) -> dict[str, str]:
    """The model's options among those of the command line; a seed is left out where nothing is drawn."""
    spec = ModelSpec.parse(model or DEFAULT_MODEL)
    if batch and spec.kind != "openai":
        raise InputError(f"--batch is for hosts with a batch API (openai:NAME), not {spec.kind}: leave it out")
    if seed is not None and "seed" not in spec.known_options():
        tell("--seed has no effect: neither this model nor the strategy draws anything")
        seed = None
    given = {"base_url": base_url, "concurrency": concurrency, "seed": seed, "batch": "true" if batch else None}
    return {name: str(value) for name, value in given.items() if value is not None}


def limits_of(text: str | None) -> Limits | None:
    """The limits in `tokens=20000,seconds=2`.

    Raises:
        InputError: They do not parse.
    """
    if text is None:
        return None
    found: dict[str, float] = {}
    kinds: dict[str, type] = {"calls": int, "tokens": int, "cost": float, "seconds": float, "searches": int}
    for item in text.split(","):
        name, _, value = (part.strip() for part in item.partition("="))
        try:
            found[name] = kinds.pop(name)(value)
        except (KeyError, ValueError):
            known = "calls=N, tokens=N, cost=USD, seconds=S, searches=N"
            raise InputError(
                f"--per-query: '{item.strip()}' should be one of {known}, each once, separated by commas"
            ) from None
    return Limits(**found)  # type: ignore[arg-type]
