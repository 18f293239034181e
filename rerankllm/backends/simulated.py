"""`simulated:QRELS`: a judge that errs as stated, seeded, to compare strategies where the truth is known."""

import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

from rerankllm.backends.direct import DirectBackend
from rerankllm.backends.written import grade_in, passage_of
from rerankllm.calls import CallFailed, Capabilities, Reply
from rerankllm.errors import SpecError
from rerankllm.formats.trec import read_qrels
from rerankllm.judgements import (
    Answer,
    Compare,
    Draft,
    Ends,
    Failure,
    Grade,
    Judgement,
    ParseReport,
    Permute,
    Score,
    Select,
    Status,
    Unanswered,
    WeakOrder,
)


class World(NamedTuple):
    """How a judge errs, in grades.

    Attributes:
        belief: Standard deviation of what it wrongly believes of a document for a query, whatever it is shown.
        noise: Standard deviation of what changes from prompt to prompt, in a list of WINDOW documents.
        position: How much better the first place of a prompt looks than the last.
        alone: Standard deviation of what is added to the noise where one document is shown alone.
        pair: How much better the first of two documents looks than the second; none: as `position` says.
    """

    belief: float
    noise: float
    position: float
    alone: float = 0.0
    pair: float | None = None

    @property
    def told_apart(self) -> bool:
        """Whether one document alone, or two, are judged otherwise than longer lists."""
        return (self.alone, self.pair) != (0.0, None)

    def deviation(self, m: int) -> float:
        """Standard deviation of the noise of a document in a prompt of m."""
        return math.hypot(self.noise * (m / WINDOW) ** GROWTH, self.alone if m == 1 else 0.0)

    def preference(self, place: int, m: int) -> float:
        """How much worse a place of a prompt of m documents looks than its middle; `place` counts from 0."""
        if m == 1:
            return 0.0
        whole = self.pair if m == PAIR and self.pair is not None else self.position
        return whole * (place / (m - 1) - 0.5)


WINDOW = 20
GROWTH = 0.25
PAIR = 2
WORLDS = {
    "mild": World(0.4, 0.4, 0.3),
    "harsh": World(0.8, 1.0, 1.0),
    "fitted": World(1.38, 0.04, 1.89),
    "small": World(2.0, 2.5, 10.0, alone=0.5, pair=4.0),
}
"""`fitted` is what eval/frontier/fit.py finds for RankVicuna's answers, and `small` what eval/judges finds for those of
Qwen2.5-Coder-1.5B to single passages, pairs and lists; the others are assumptions."""
Utilities = Sequence[float]


class Simulated(DirectBackend):
    """A simulated judge: it knows the grades in a qrels file, and errs at random.

    That of a document shown at place i of m, from 0, is

        grade + belief·G + noise·(m / 20)^¼·L − position·(i / (m − 1) − ½)

    with its grade in the qrels (0 without one), G standard normal and drawn once per query and document, and L of
    variance 1 from a Laplace distribution, drawn per document and prompt: it has heavier tails than a normal or
    Gumbel one, as a passage is now and then misread altogether. The noise is that of a list of 20, about half of it for
    one document and 1.5 times as much for 100; a document shown alone has the world's `alone` added to it, in
    quadrature. In a list of one there is no place to prefer, and in a list of two `pair` stands for `position`.

    Every answer reads the same utilities off: `Score` as they are; `Compare` as the logistic function of their
    difference; `Select` the m highest, or lowest; `Ends` the highest and the lowest; `Permute` their order, equal ones
    tied; `Grade` rounded to whole grades, the highest grade in the file being `scale`, and held within 0 and `scale`.

    A passage that it is asked to write (`Draft`) says its grade, and has that wherever it is shown.

    All is drawn from a hash of the seed, the query's id, the documents' ids in the order shown, and the rest of the
    judgement: the same prompt gets the same answer, whenever and beside whatever it is asked.

    Args:
        name: Path of a TREC or BEIR qrels file.
        world: How the judge errs: `mild`, `harsh`, `fitted` to a model of 7B parameters, or `small`, as one of 1.5B.
        seed: Of everything drawn.
        belief: Instead of the world's.
        noise: Instead of the world's.
        position: Instead of the world's; below 0 the last place looks best.
        alone: Instead of the world's.
        pair: Instead of the world's; below 0 the second looks better.
        malformed: Share of the prompts whose answer is cut short. Of an order, a part of random length is left, the
            rest being omitted; of any other answer, or an order of one, nothing that can be used.

    Raises:
        SpecError: An option is out of range.
    """

    default_strategy = "sliding"

    def __init__(
        self,
        *,
        name: str,
        world: Literal["mild", "harsh", "fitted", "small"] = "mild",
        seed: int = 0,
        belief: float | None = None,
        noise: float | None = None,
        position: float | None = None,
        alone: float | None = None,
        pair: float | None = None,
        malformed: float = 0.0,
    ) -> None:
        given = {"belief": belief, "noise": noise, "position": position, "alone": alone, "pair": pair}
        own = {key: value for key, value in given.items() if value is not None}
        for key in ("belief", "noise", "alone"):
            if own.get(key, 0.0) < 0:
                raise SpecError(f"simulated: {key} should be at least 0, found {own[key]}")
        if not 0 <= malformed <= 1:
            raise SpecError(f"simulated: malformed should be from 0 to 1, found {malformed}")
        options = {"world": world, "seed": seed, **own, **({"malformed": malformed} if malformed else {})}
        self.model = f"simulated:{name}?" + "&".join(f"{key}={value}" for key, value in options.items())
        self.world = WORLDS[world]._replace(**own)
        self.capabilities = Capabilities(answers=frozenset(READINGS))
        self._name, self._seed, self._malformed = name, seed, malformed
        self._qrels = read_qrels(name)
        self._best = max([1, *(grade for grades in self._qrels.values() for grade in grades.values())])
        self._beliefs: dict[tuple[str, str], float] = {}

    @functools.cached_property
    def revision(self) -> str:
        """SHA-256 of the file and of how this judge errs."""
        said = self.world if self.world.told_apart else self.world[:3]
        law = json.dumps([*said, WINDOW, GROWTH])
        return hashlib.sha256(Path(self._name).read_bytes() + law.encode()).hexdigest()

    def answer(self, judgement: Judgement) -> Reply | CallFailed:
        """The answer by utilities; a query without qrels is not answered."""
        if judgement.query.query_id not in self._qrels:
            return CallFailed(f"no qrels for query {judgement.query.query_id}")
        prompt = _prompt(judgement)
        utilities = self._utilities(judgement, self._uniforms("noise", prompt, len(judgement.docs)))
        cut, length = self._uniforms("malformed", prompt, 2)
        if cut < self._malformed:
            return _cut_short(judgement, utilities, length)
        return Reply(READINGS[type(judgement)](judgement, utilities, self._best))

    def believed(self, query_id: str, doc_id: str, grade: float = 0.0) -> float:
        """Grade, this one where the qrels have none, and belief error: what no number of answers gets beyond."""
        key = (query_id, doc_id)
        if key not in self._beliefs:
            (uniform,) = self._uniforms("belief", key, 1)
            error = self.world.belief * NormalDist().inv_cdf(uniform)
            self._beliefs[key] = self._qrels.get(query_id, {}).get(doc_id, grade) + error
        return self._beliefs[key]

    def _utilities(self, judgement: Judgement, uniforms: Sequence[float]) -> list[float]:
        m = len(judgement.docs)
        deviation = self.world.deviation(m)
        found: list[float] = []
        for place, (doc, uniform) in enumerate(zip(judgement.docs, uniforms, strict=True)):
            believed = self.believed(judgement.query.query_id, doc.doc_id, grade_in(doc, self._best))
            found.append(believed + deviation * _laplace(uniform) - self.world.preference(place, m))
        return found

    def _uniforms(self, what: str, key: Sequence[Any], count: int) -> list[float]:
        """Numbers strictly between 0 and 1, the same for the same key."""
        text = json.dumps([self._seed, what, *key], separators=(",", ":"))
        drawn = hashlib.shake_256(text.encode()).digest(8 * count)
        whole = (int.from_bytes(drawn[start : start + 8], "big") >> 12 for start in range(0, 8 * count, 8))
        return [(number + 0.5) / 2**52 for number in whole]


def _prompt(judgement: Judgement) -> list[Any]:
    """What tells one prompt from another."""
    rest = {key: getattr(judgement, key) for key in ("m", "worst", "decode", "scale") if hasattr(judgement, key)}
    return [type(judgement).__name__, judgement.query.query_id, [doc.doc_id for doc in judgement.docs], rest]


def _laplace(uniform: float) -> float:
    """The quantile of a Laplace distribution of variance 1."""
    side = math.copysign(1.0, uniform - 0.5)
    return -side * math.log(2 * min(uniform, 1 - uniform)) / math.sqrt(2)


def _score(judgement: Score, utilities: Utilities, best: int) -> float:
    del judgement, best
    return utilities[0]


def _compare(judgement: Compare, utilities: Utilities, best: int) -> float:
    del judgement, best
    return 0.5 * (1 + math.tanh((utilities[0] - utilities[1]) / 2))


def _select(judgement: Select, utilities: Utilities, best: int) -> tuple[str, ...]:
    del best
    sign = 1 if judgement.worst else -1
    order = sorted(range(len(utilities)), key=lambda i: sign * utilities[i])
    return tuple(judgement.docs[i].doc_id for i in order[: judgement.m])


def _ends(judgement: Ends, utilities: Utilities, best: int) -> tuple[str, ...]:
    del best
    order = sorted(range(len(utilities)), key=lambda i: -utilities[i])
    return judgement.docs[order[0]].doc_id, judgement.docs[order[-1]].doc_id


def _order(judgement: Permute, utilities: Utilities, best: int) -> WeakOrder:
    del best
    return _first(judgement, utilities, len(utilities) if judgement.decode is None else judgement.decode)


def _first(judgement: Permute, utilities: Utilities, count: int) -> WeakOrder:
    """The order of the first `count`."""
    order = sorted(range(len(utilities)), key=lambda i: -utilities[i])[:count]
    ids = [doc.doc_id for doc in judgement.docs]
    groups = tuple(tuple(ids[i] for i in tied) for _, tied in groupby(order, lambda i: utilities[i]))
    named = set(order)
    return WeakOrder(groups, tuple(doc_id for i, doc_id in enumerate(ids) if i not in named))


def _grades(judgement: Grade, utilities: Utilities, best: int) -> tuple[float, ...]:
    return tuple(float(min(judgement.scale, max(0, round(judgement.scale * u / best)))) for u in utilities)


def _cut_short(judgement: Judgement, utilities: Utilities, length: float) -> Reply:
    """What is left of an answer; `length` from 0 to 1 says how much."""
    if isinstance(judgement, Permute):
        wanted = min(len(utilities), judgement.decode or len(utilities))
        if wanted > 1:
            named = 1 + int(length * (wanted - 1))
            report = ParseReport(Status.REPAIRED, {"missing": wanted - named})
            return Reply(_first(judgement, utilities, named), report)
    return Reply(Unanswered("the answer was cut short", Failure.ANSWER), ParseReport(Status.FAILED, {"cut short": 1}))


READINGS: Mapping[type, Callable[[Any, Utilities, int], Answer]] = {
    Score: _score,
    Compare: _compare,
    Select: _select,
    Ends: _ends,
    Permute: _order,
    Grade: _grades,
    Draft: lambda judgement, *_: passage_of(judgement.grade),
}
