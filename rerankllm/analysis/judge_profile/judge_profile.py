"""How a judge errs, fitted on answers that a journal or a recording holds."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from rerankllm.analysis.judge_profile.answers import read_answers
from rerankllm.analysis.judge_profile.fitting import fit_profile
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.evaluation.measures import Qrels
from rerankllm.formats.trec import read_run
from rerankllm.notes import tell
from rerankllm.runs.source import read_judgements

FilePath: TypeAlias = str | PathLike[str]


def judge_profile(
    answers: FilePath | Sequence[FilePath],
    run: FilePath,
    *,
    qrels: FilePath | Qrels | None = None,
    depth: int = 100,
    stage: str | None = None,
    model: str | None = None,
    seed: int = 0,
) -> JudgeProfile:
    """Fits how a judge errs, for `active` to go by: its noise, its preference for places, the error it repeats.

    Orders, selections, comparisons and scores are read; anything else is left out and counted. Nothing is asked.

    Args:
        answers: A journal, or a recording that `rerankllm journal --export` wrote; or several of one judge.
        run: TREC run of the first stage that was reranked: the answers say which documents were shown, and not from
            which list.
        qrels: Grades of these queries, a file or a mapping: trust is then measured, and not inferred.
        depth: Candidates a query that were read.
        stage: Of a journal only what this stage asked, as it prints.
        model: Of a journal only what this model answered, as it prints.
        seed: Of the intervals, which draw queries.

    Returns:
        The profile: give it to `Reranker(profile=…)`, or save it with `save`.

    Raises:
        InputError: A file cannot be read, or there is nothing to learn from.
    """
    files = [Path(each) for each in ([answers] if isinstance(answers, str | PathLike) else answers)]
    first_stage, names = Path(run), ", ".join(file.name for file in files)
    first, source = read_run(first_stage), {"answers": names, "run": first_stage.name}
    grades = qrels if qrels is None or isinstance(qrels, Mapping) else read_judgements(Path(qrels))
    if grades is not None:
        first = {query_id: ranked for query_id, ranked in first.items() if query_id in grades}
    if qrels is not None and not isinstance(qrels, Mapping):
        source["qrels"] = Path(qrels).name
    read = read_answers(files, first, depth, stage=stage, model=model)
    found = fit_profile(read, grades, source=source, seed=seed)
    if len(found.models) > 1:
        tell(f"answers of {len(found.models)} models are taken for one: {', '.join(found.models)}")
    if not any(each.repeats for each in read.heard):
        tell("no two documents were judged together twice: scale is known from the first stage's trend only, hardly")
    return found
