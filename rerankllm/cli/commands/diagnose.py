"""`rerankllm diagnose`: how far a judge can be trusted, on one's own queries."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from rerankllm.analysis.diagnose import plots
from rerankllm.analysis.diagnose.probe import PROBES, Answers, Diagnosis, ask, probe, within_budget
from rerankllm.calibration.diagnostics import Share
from rerankllm.cli import completion as completing
from rerankllm.cli import options
from rerankllm.cli.commands.datasets import Dataset
from rerankllm.cli.console import check_paths, estimate_line, tell
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.events import Event
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.files import as_json
from rerankllm.reranker import Reranker
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import read_source

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm diagnose --sample --max-calls 300 --journal calls.db\n
rerankllm diagnose --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --model openai:NAME --dry-run\n
rerankllm diagnose --sample --elicitation 'labels(prompt=prp-demos)' --json judge.json --plot plots/\n
[bold]Exit status[/bold]: 0 diagnosed, 1 nothing could be done, 3 some queries failed (named on stderr).
"""
PARTIAL = 3


def command(
    *,
    sample: Annotated[bool, typer.Option("--sample", help="Use the sample collection that ships.")] = False,
    run: options.Run = None,
    queries: options.Queries = None,
    corpus: options.Corpus = None,
    dataset: Dataset = None,
    requests: options.Requests = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    elicitation: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            autocompletion=completing.elicitations,
            help="Such as text, or labels(prompt=prp-demos); the model's own when left out.",
        ),
    ] = None,
    instruction: options.Instruction = None,
    demonstrations: options.Demonstrations = None,
    depth: Annotated[
        int, typer.Option(min=2, help="Documents of each query; every pair of them is asked about in both orders.")
    ] = 8,
    shuffles: Annotated[int, typer.Option(min=1, help="Orders in which all of them are listed in one prompt.")] = 4,
    max_calls: Annotated[
        int, typer.Option(min=1, metavar="N", help="Calls in all; as many of the first queries are taken as fit.")
    ] = 500,
    max_passage_tokens: options.PassageTokens = None,
    concurrency: options.Concurrency = None,
    seed: Annotated[int, typer.Option(help="Of the shuffles.")] = 0,
    journal: Annotated[
        Path | None, typer.Option(help="Keep every completed call in this file; what it holds is not asked again.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it will take; send nothing.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all of it as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Draw it (needs the extra `plots`).")] = None,
    skip_missing: options.SkipMissing = False,
    quiet: options.Quiet = False,
) -> None:
    """Measures what order, place and chance do to a judge's answers, on the first queries of a run.

    Comparisons: pairs whose winner changes when they are turned round, what the judge thinks of the first place,
    triads that go round, how far sorts of the same comparisons lie apart. Lists: rank by place in the prompt, and how
    far answers about the same documents agree. What the model cannot be asked is left out, and said.
    """
    inputs = {"--run": run, "--queries": queries, "--corpus": corpus, "--requests": requests}
    check_paths({**inputs, "--demonstrations": demonstrations}, {"--journal": journal, "--json": json_file})
    if plot is not None:
        plots.check(plot)
    source = read_source(
        sample=sample, run=run, queries=queries, corpus=corpus, requests=requests, qrels=None,
        skip_missing=skip_missing, dataset=dataset, depth=depth,
    )  # fmt: skip
    answers, bar = Answers(), ProgressBar(quiet=quiet)

    def observe(event: Event) -> None:
        answers(event)
        bar(event)

    given = options.model_options(model, base_url=base_url, concurrency=concurrency)
    reranker = _prober(
        elicitation, shuffles, seed, model=model, instruction=instruction, passage_tokens=max_passage_tokens,
        demonstrations=demonstrations, depth=depth, observer=observe, options=given,
        limits=Limits(calls=max_calls), journal=None if dry_run else journal,
    )  # fmt: skip
    with reranker:
        source.tell_skipped()
        chosen = within_budget(reranker, [(q, candidates[:depth]) for q, candidates in source.queries], max_calls)
        tell(f"{reranker.stage} on {len(chosen)} of {len(source.queries)} queries")
        if dry_run:
            typer.echo(estimate_line(reranker, chosen, None))
            return
        calls = sum(reranker.plan(len(candidates)).calls.high for _, candidates in chosen)
        with bar.showing(len(chosen), calls):
            asked = ask(reranker, chosen, answers)
        models = ", ".join(reranker.models)
    diagnosis = answers.diagnosis(chosen)
    for name, value, of in rows(diagnosis):
        typer.echo(f"{name}\t{value}\t{of}")
    if json_file is not None:
        paid = {"calls": asked.ledger.calls, "replayed": asked.ledger.replayed}
        head = {"model": models, "stage": str(reranker.stage), **paid, "failures": asked.failed}
        report = {**head, **dataclasses.asdict(diagnosis)}
        json_file.write_text(f"{as_json(report, indent=2)}\n", encoding="utf-8")
    if plot is not None:
        plots.draw(diagnosis, plot, models)
    for query_id, reason in asked.failed.items():
        tell(f"query {query_id} failed: {reason}")
    if asked.failed:
        raise typer.Exit(PARTIAL)


def _prober(elicitation: str | None, shuffles: int, seed: int, **settings: Any) -> Reranker:
    """A reranker that asks all that a diagnosis can use, or what is left of it with this model.

    Raises:
        CapabilityError: The model can be asked nothing of the kind.
    """
    refused: dict[str, Exception] = {}
    for kinds in (tuple(PROBES), *((kind,) for kind in PROBES)):
        try:
            reranker = Reranker(probe(kinds, shuffles, elicitation, seed), **settings)
        except (CapabilityError, TemplateError) as error:
            refused["/".join(kind.__name__ for kind in kinds)] = error
        else:
            for left_out in (kind.__name__ for kind in PROBES if kind not in kinds):
                tell(f"{left_out} is not asked: {refused.get(left_out) or next(iter(refused.values()))}")
            return reranker
    raise CapabilityError("; ".join(f"{kind}: {error}" for kind, error in refused.items() if "/" not in kind))


def rows(diagnosis: Diagnosis) -> Iterator[tuple[str, str, str]]:
    """The table: what was measured, its value, and of what."""
    yield "measure", "value", "of"
    if (compared := diagnosis.compared) is not None:
        yield _share("order inconsistency", compared.inconsistent, "pairs")
        yield "mean margin A − B", _number(compared.margin), f"{len(compared.margins)} answers, in nats"
        yield "mean p(first shown wins)", _number(compared.first), "all answers; 0.5 is fair"
        for reading, share in compared.cycles.items():
            yield _share(f"non-transitive triads, {reading}", share, "triads")
        for form, distances in compared.distances.items():
            for names, distance in distances.items():
                yield f"Kendall distance, {form}: {names}", _number(distance), "0 same, 1 reversed"
        yield _share("malformed comparisons", compared.malformed, "answers")
    if (lists := diagnosis.lists) is not None:
        for place in lists.places:
            yield f"mean rank of place {place.place}", f"{place.rank:.2f}", f"{place.first:.0%} ranked first"
        yield "self-agreement under shuffles", _number(lists.agreement), "Kendall's τ; 1 is the same order"
        yield _share("malformed lists", lists.malformed, "answers")


def _share(name: str, share: Share, noun: str) -> tuple[str, str, str]:
    return name, _number(share.value), f"{share.count} of {share.of} {noun}"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
