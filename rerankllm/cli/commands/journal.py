"""`rerankllm journal`: what a run bought, call by call."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from rerankllm.cli.console import check_paths, say
from rerankllm.errors import InputError
from rerankllm.files import as_json, open_for_writing
from rerankllm.formats import recordings
from rerankllm.journal.export import Export, export
from rerankllm.journal.read import Entry, entries, failures, judged
from rerankllm.journal.store import AGAIN, Journal
from rerankllm.notes import tell
from rerankllm.version import __version__

EXAMPLES = """
# totals: calls, tokens, costs, repairs, failures
rerankllm journal reranked.txt.journal
# a line a call
rerankllm journal reranked.txt.journal --calls
# one prompt with its answer
rerankllm journal reranked.txt.journal --show 17
# everything, as JSON lines
rerankllm journal reranked.txt.journal --json | head -3
# what was asked and answered
rerankllm journal reranked.txt.journal --export recording.jsonl
# the same again, or another strategy, without the model
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl
  --model recorded:recording.jsonl --output again.txt
# forget it all
rerankllm journal reranked.txt.journal --purge
"""


def command(
    *,
    file: Annotated[Path, typer.Argument(help="The journal.")],
    query: Annotated[str | None, typer.Option(metavar="ID", help="Only the calls of this query.")] = None,
    calls: Annotated[bool, typer.Option("--calls", help="A line a call.")] = False,
    show: Annotated[
        int | None, typer.Option(min=1, max=2**63 - 1, metavar="N", help="Prompt and answer of call N.")
    ] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="Every call as a JSON line.")] = False,
    export_to: Annotated[
        Path | None,
        typer.Option("--export", help="Write the judgements with their answers as a recording, for recorded:FILE."),
    ] = None,
    stage: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Export only what this stage asked, as the totals print it.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Export only what this model answered, as the totals print it.")
    ] = None,
    purge: Annotated[bool, typer.Option("--purge", help="Delete all calls, or those of --query.")] = False,
) -> None:
    """Shows the calls a run made, what they cost and how their answers read."""
    if export_to is None and (stage or model):
        raise InputError("--stage and --model choose what --export writes: name a file with --export")
    check_paths({"FILE": file}, {"--export": export_to})
    journal = Journal(file, create=False)
    try:
        if purge:
            tell(f"{journal.purge(query)} calls deleted from {file}")
        elif export_to is not None:
            _export(export(journal, __version__, query_id=query, stage=stage, model=model), export_to)
        elif show is not None:
            _show(journal, show)
        elif calls or json_lines:
            for entry in entries(journal, query_id=query):
                say(as_json(_row(entry)) if json_lines else _line(entry))
        else:
            _totals(journal, query)
    finally:
        journal.close()


def _export(found: Export, path: Path) -> None:
    with open_for_writing(path) as file:
        recordings.write(file, found.header, found.records)
    tell(f"{len(found.records)} judgements on {found.queries} queries written to {path}")
    if found.left_out:
        tell(f"{found.left_out} calls of an earlier version are not among them: run the same command with this journal "
             "again, which asks nothing again, and export anew")  # fmt: skip


def _totals(journal: Journal, query: str | None) -> None:
    calls = list(entries(journal, query_id=query, texts=False))
    lost = [failure for failure in failures(journal) if query in (None, failure.query_id)]
    for stage, model in dict.fromkeys((entry.stage, entry.model) for entry in calls):
        say(f"stage\t{stage}\nmodel\t{model}")
        mine = [entry for entry in calls if (entry.stage, entry.model) == (stage, model)]
        for name, value in {**_sums(mine), "forms": _forms(journal, query, stage, model)}.items():
            say(f"{name}\t{value}")
    say(f"failures\t{len(lost)}")
    for each in lost:
        say(f"failure\tquery {each.query_id}\t{each.model}\t{each.reason}\t{each.attempts} attempts\t{each.at}")


def _sums(calls: list[Entry]) -> dict[str, Any]:
    costs = [entry.cost_usd for entry in calls]
    statuses = Counter(entry.status for entry in calls)
    return {
        "queries": len({entry.query_id for entry in calls}),
        "calls": len(calls),
        "attempts": sum(entry.attempts for entry in calls),
        "prompt tokens": sum(entry.prompt_tokens for entry in calls),
        "completion tokens": sum(entry.completion_tokens for entry in calls),
        "cost": "unknown" if None in costs else f"${sum(filter(None, costs)):.4g}",
        "answers": ", ".join(f"{statuses[name]} {name}" for name in ("parsed", "repaired", "failed")),
        "repairs": _counted(entry.repairs for entry in calls),
        "from": calls[0].at,
        "to": calls[-1].at,
    }


def _forms(journal: Journal, query: str | None, stage: str, model: str) -> str:
    """How often answers were written in each form."""
    found = (row for row in judged(journal, query_id=query, stage=stage) if json.loads(row.judge)["model"] == model)
    forms = (json.loads(row.record).get("form") for row in found)
    return _counted({form: 1} for form in forms if form)


def _counted(repairs: Iterable[Any]) -> str:
    total: Counter[str] = Counter()
    for each in repairs:
        total.update(each)
    return ", ".join(f"{name} {count}" for name, count in total.most_common()) or "none"


def _show(journal: Journal, number: int) -> None:
    found = next(entries(journal, number=number), None)
    if found is None:
        raise InputError(f"{journal.path} holds no call {number}; --calls lists them")
    say(f"{_line(found)}\nstage\t{found.stage}\n--- prompt\n{found.prompt}\n--- answer\n{_answer(found)}")
    if found.outcome.get("reasoning"):
        say(f"--- reasoning\n{found.outcome['reasoning']}")


def _answer(entry: Entry) -> str:
    outcome = entry.outcome
    if outcome.get("text"):
        return str(outcome["text"])
    return as_json(outcome.get("answer", outcome.get("logprobs")))


def _line(entry: Entry) -> str:
    repairs = f" ({', '.join(entry.repairs)})" if entry.repairs else ""
    return "\t".join(
        (
            str(entry.number),
            f"query {entry.query_id}",
            str(entry.place),
            entry.judgement,
            entry.model,
            f"{entry.prompt_tokens}+{entry.completion_tokens} tokens",
            f"{entry.status}{repairs}",
        )
    )


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "query_id": entry.query_id,
        "stage": entry.stage,
        "step": entry.place.step,
        "item": entry.place.item % AGAIN,
        "asked_again": entry.place.item >= AGAIN,
        "judgement": entry.judgement,
        "model": entry.model,
        "prompt": entry.prompt,
        "outcome": entry.outcome,
        "status": entry.status,
        "repairs": entry.repairs,
        "prompt_tokens": entry.prompt_tokens,
        "completion_tokens": entry.completion_tokens,
        "attempts": entry.attempts,
        "cost_usd": entry.cost_usd,
        "at": entry.at,
    }
