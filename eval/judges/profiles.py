r"""What `rerankllm diagnose` and `rerankllm judge-profile` say of recorded judges: a row a judge and a set; 0 calls.

    python eval/judges/profiles.py --data ../shared/data/noveleval \
        --windows ../shared/data/rankvicuna-dl19-bm25.jsonl --windows-data ../shared/data/dl19-bm25

Writes eval/judges/profiles.md. Sets of scores alone have no row: neither command can tell noise from worth there.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from pathlib import Path

from rerankllm import diagnose, judge_profile
from rerankllm.analysis.diagnose.probe import PROBES, Findings
from rerankllm.backends.recorded import Recorded as Judge
from rerankllm.backends.simulated import WORLDS, Simulated
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.calls import Reply
from rerankllm.data import Candidate, Query
from rerankllm.formats import recordings
from rerankllm.formats.recordings import Header
from rerankllm.formats.trec import read_qrels
from rerankllm.judgements import Compare, Judgement, Permute, Unanswered
from rerankllm.runs.source import read_source
from rerankllm.spec.model import ModelSpec

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by
from record import RECORDINGS

RESULTS = Path(__file__).parent / "profiles.md"
Queries = Sequence[tuple[Query, Sequence[Candidate]]]
Grades = Mapping[str, Mapping[str, int]]
HEAD = (
    "| judge | set | queries | answers | malformed | pairs that turn with the order | p(the first wins) | triads that "
    "go round: one order, both | named first from quarter 1, 2, 3, 4 | self-agreement, τ | wrong | wrong again | trust "
    "| scale | position |"
)
PARTS, EVEN = 4, 0.5
PROMPTED = ("demonstrations",)
"""Sets that differ in their prompts alone, which simulated judges do not have."""
TEXT = """
"Wrong" is the share of passages of unlike grades in the wrong order. "Wrong again" is how often what was wrong once is
wrong when the two are shown in turned order: as often as "wrong" if errors were drawn anew, always if all were beliefs.
Trust (with grades), scale and position are judge-profile's: the share of relevance in what the judge sees, how far
apart passages are for it in its own noise (1 is average; .25 and 16 are the ends), and by how much the first place of
a prompt looks better than the last. The simulated judges of README answered what the first judge of a set was asked.
Of comparisons answered by probabilities scale comes out too small, .25 even for a simulated judge whose lists give .84:
such an answer counts as one choice, though it says more.
"""


@dataclass(frozen=True)
class Asked:
    """Queries with their candidates, and files that say so.

    Attributes:
        run: The first stage.
        qrels: The judgements.
        queries: The queries.
        grades: What `qrels` holds.
    """

    run: Path
    qrels: Path
    queries: Queries
    grades: Grades

    @classmethod
    def of(cls, folder: Path) -> "Asked":
        """A collection's folder."""
        run, qrels = folder / "run.txt", folder / "qrels.txt"
        source = read_source(
            sample=False, run=run, queries=folder / "queries.tsv", corpus=folder / "corpus.jsonl", requests=None,
            qrels=qrels, skip_missing=False,
        )  # fmt: skip
        return cls(run, qrels, source.queries, read_qrels(qrels))


def rows(name: str, judges: Mapping[str, Path], asked: Asked, folder: Path) -> Iterator[str]:
    """The recorded judges' rows of one set, and those of simulated judges, who are asked what the first was."""
    for judge, path in judges.items():
        yield row(judge, name, path, asked)
    found = ModelSpec.parse(f"recorded:{next(iter(judges.values()))}").load()
    for world in WORLDS if name not in PROMPTED else ():
        simulated = Simulated(name=str(asked.qrels), world=world, seed=0)
        answers = [(j, simulated.answer(j)) for _, j, _ in held(found, asked.queries)]
        yield row(world, name, kept(folder / f"{name}-{world}", answers), asked)


def row(judge: str, name: str, path: Path, asked: Asked) -> str:
    """What both commands say."""
    model = f"recorded:{path}"
    findings = diagnose(asked.queries, model=model).findings
    profile = judge_profile(path, asked.run, qrels=asked.qrels)
    answered = [(j, reply) for _, j, reply in held(ModelSpec.parse(model).load(), asked.queries)]
    once, again = errors(answered, asked.grades)
    cells = [judge, name, findings.queries, len(answered), *_told(findings), f"{once:.2f}", f"{again:.2f}"]
    return f"| {' | '.join(map(str, [*cells, *_fitted(profile)]))} |"


def _told(findings: Findings) -> list[str]:
    """What a diagnosis says, as cells."""
    compared, lists, none = findings.compared, findings.lists, "–"
    malformed = [part.malformed for part in (compared, lists) if part is not None]
    curve = [0.0] * PARTS
    for place in lists.places if lists else ():
        curve[PARTS * (place.place - 1) // len(lists.places)] += place.first  # type: ignore[union-attr]
    return [
        f"{sum(share.count for share in malformed) / sum(share.of for share in malformed):.0%}",
        none if compared is None else f"{compared.inconsistent.value:.0%}",
        none if compared is None else f"{compared.first:.2f}",
        none
        if compared is None
        else ", ".join(f"{compared.cycles[reading].value:.1%}" for reading in ("one order", "logodds")),
        none if lists is None else ", ".join(f"{share:.2f}" for share in curve),
        none if lists is None or lists.agreement != lists.agreement else f"{lists.agreement:.2f}",
    ]


def _fitted(profile: JudgeProfile) -> list[str]:
    """Trust, scale and position, with intervals."""
    return [
        f"{fit.value:.2f}" + ("" if fit.low is None else f" ({fit.low:.2f}–{fit.high:.2f})")
        for fit in (profile.trust, profile.scale, profile.position)
    ]


def held(judge: Judge, queries: Queries) -> Iterator[tuple[str, Judgement, Reply]]:
    """The comparisons and lists of a recording, with their query's id."""
    for query, candidates in queries:
        for judgement, reply in judge.heard(PROBES, query, [candidate.document for candidate in candidates]):
            yield query.query_id, judgement, reply


def kept(path: Path, answered: Sequence[tuple[Judgement, Reply]]) -> Path:
    """Answers as a recording."""
    with path.open("w", encoding="utf-8") as file:
        records = [json.dumps(recordings.to_record(j, r.answer, r.report, r.usage)) for j, r in answered]
        recordings.write(file, Header(("lists",), ("lists",), {}, "0"), records)
    return path


def errors(answered: Sequence[tuple[Judgement, Reply]], grades: Grades) -> tuple[float, float]:
    """How often passages of unlike grades are in the wrong order; of those, how often again, shown in turned order."""
    said: dict[tuple[str, str, str], list[tuple[bool, bool]]] = {}
    for judgement, reply in answered:
        known = grades.get(judgement.query.query_id, {})
        for shown, other, kept_order in _told_apart(judgement, reply):
            apart = known.get(shown, 0) - known.get(other, 0)
            if apart:
                first, second = sorted((shown, other))
                pair = judgement.query.query_id, first, second
                said.setdefault(pair, []).append((shown == first, kept_order != (apart > 0)))
    wrong = [bad for each in said.values() for _, bad in each]
    again = [
        other_bad
        for each in said.values()
        for (turned, bad), (other_turned, other_bad) in permutations(each, 2)
        if bad and turned != other_turned
    ]
    return _share(wrong), _share(again)


def _told_apart(judgement: Judgement, reply: Reply) -> Iterator[tuple[str, str, bool]]:
    """The one shown before, the one shown after, and whether they stay so."""
    answer = reply.answer
    if isinstance(answer, Unanswered):
        return
    if isinstance(judgement, Compare) and answer != EVEN:
        yield judgement.first.doc_id, judgement.second.doc_id, answer > EVEN  # type: ignore[operator]
    elif isinstance(judgement, Permute):
        order = [*answer.ranked, *answer.omitted]  # type: ignore[union-attr]
        place = {doc_id: i for i, doc_id in enumerate(order)}
        for one, other in combinations([doc.doc_id for doc in judgement.docs], 2):
            yield one, other, place[one] < place[other]


def _share(found: Sequence[bool]) -> float:
    return sum(found) / len(found) if found else float("nan")


def sets(collection: str) -> dict[str, dict[str, Path]]:
    """The recordings of comparisons or lists, by set and judge, those of most answers first."""
    found: dict[str, dict[str, Path]] = {}
    paths = RECORDINGS.glob(f"*/{collection}-*.jsonl.gz")
    for path in sorted(paths, key=lambda path: (path.name, -path.stat().st_size)):
        if ModelSpec.parse(f"recorded:{path}").load().capabilities.answers & set(PROBES):
            name = path.name.removeprefix(f"{collection}-").removesuffix(".jsonl.gz")
            found.setdefault(name, {})[path.parent.name] = path
    return found


def profiles(data: Path, windows: tuple[Path, Path] | None) -> Iterator[str]:
    """The table: every recorded judge, and raw answers to windows with the collection that they are about."""
    yield HEAD
    yield "|---|---|---:|---:|---:|---:|---:|---|---|---:|---:|---:|---:|---:|---:|"
    with tempfile.TemporaryDirectory() as made:
        asked, folder = Asked.of(data), Path(made)
        for name, judges in sets(data.name).items():
            yield from rows(name, judges, asked, folder)
        if windows:
            other = Asked.of(windows[1])
            raw = held(ModelSpec.parse(f"recorded:{windows[0]}").load(), other.queries)
            path = kept(folder / "windows", [(judgement, reply) for _, judgement, reply in raw])
            yield from rows("windows of 20", {f"RankVicuna on {windows[1].name}": path}, other, folder)


def main() -> None:
    """Writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--windows", type=Path, help="raw answers to windows, as others publish them")
    parser.add_argument("--windows-data", type=Path, help="the collection that they are about")
    options = parser.parse_args()
    windows = (options.windows, options.windows_data) if options.windows else None
    lines = [
        f"# The recorded judges' profiles on {options.data.name}\n",
        made_by("judges/profiles.py", "numpy", seeds=[0]),
        TEXT,
        *profiles(options.data, windows),
    ]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
