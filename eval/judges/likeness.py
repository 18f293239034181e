"""What a judge is like, in numbers that are taken alike of a real and of a simulated one; how far they are apart.

A simulated judge is asked exactly what the real one was asked, and both are measured. The distance is the root of the
mean squared difference of the numbers, each over the error of the real judge's number: a bootstrap over queries, with
.02 added in quadrature, since a law of three parameters is not the truth. 1 is as far as chance; a number far above it
says that the simulation is wrong.
"""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from pathlib import Path
from statistics import fmean, stdev

from recorded import Answered, ByQuery

from rerankllm.backends.simulated import PAIR, WORLDS, Simulated, World
from rerankllm.calls import Reply
from rerankllm.judgements import Compare, Permute, Score, Select

SLACK, DRAWS = 0.02, 400
EVEN = 0.5
"""The probability of a comparison that says nothing."""
NEAR = 3
"""Places that are next to each other."""
BELIEFS, NOISES = (0.2, 0.4, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 10.0), (0.05, 0.4, 1.0, 2.5)
PLACES = (-10.0, -3.0, -1.0, 0.0, 0.5, 1.0, 2.0, 4.0, 10.0, 30.0)
ALONE = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""What is tried of each parameter of a world."""
SEEDS, FRESH = range(2), range(1000, 1010)
"""Of the simulated judges that are fitted, and of those that the fit is held to."""
Grades = Mapping[str, int]
Numbers = Mapping[str, float]


class Tally:
    """How often something was so, and among how many, by what it is."""

    def __init__(self) -> None:
        self.counts: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, name: str, so: float) -> None:
        """One more."""
        self.counts[name][0] += so
        self.counts[name][1] += 1


def tally(answered: Sequence[Answered], grades: Grades) -> Tally:
    """Of one query and one set of questions."""
    found = Tally()
    _scores({j.doc.doc_id: float(a) for j, a in answered if isinstance(j, Score)}, grades, found)  # type: ignore[arg-type]
    _pairs({(j.first.doc_id, j.second.doc_id): float(a) for j, a in answered if isinstance(j, Compare)}, grades, found)  # type: ignore[arg-type]
    _choices([each for each in answered if isinstance(each[0], Select)], grades, found)
    _lists([each for each in answered if isinstance(each[0], Permute)], grades, found)
    return found


def _scores(scores: Mapping[str, float], grades: Grades, found: Tally) -> None:
    for a, b in combinations(scores, 2):
        apart = grades.get(a, 0) - grades.get(b, 0)
        if apart:
            right = EVEN if scores[a] == scores[b] else (scores[a] > scores[b]) == (apart > 0)
            found.add(f"scores of unlike grades, {_apart(apart)}: right", right)


def _pairs(known: Mapping[tuple[str, str], float], grades: Grades, found: Tally) -> None:
    prefers = {}
    for (a, b), p in known.items():
        apart = grades.get(a, 0) - grades.get(b, 0)
        which = "the better one first" if apart > 0 else "the better one second" if apart else "equal grades"
        won = EVEN if p == EVEN else p > EVEN
        found.add(f"pairs, {which}: the first wins", won)
        if (b, a) in known:
            prefers[a, b] = (p + 1 - known[b, a]) / 2
            if a < b:
                found.add("pairs: both orders agree", (p - EVEN) * (known[b, a] - EVEN) < 0)
                if apart:
                    found.add("pairs, both orders together: right", (prefers[a, b] > EVEN) == (apart > 0))
    for a, b, c in combinations(sorted({a for a, _ in prefers}), 3):
        wins = [prefers[pair] > EVEN for pair in ((a, b), (b, c), (c, a)) if pair in prefers]
        if len(wins) < 3:  # noqa: PLR2004
            continue
        found.add("pairs, both orders together: circular triads", all(wins) or not any(wins))


def _choices(asked: Sequence[Answered], grades: Grades, found: Tally) -> None:
    for judgement, answer in asked:
        shown = [doc.doc_id for doc in judgement.docs]
        (chosen, *_) = answer  # type: ignore[misc]
        best = max(grades.get(doc_id, 0) for doc_id in shown)
        if any(grades.get(doc_id, 0) < best for doc_id in shown):
            found.add("choices: one of the best grade", grades.get(chosen, 0) == best)
        found.add("choices: the first shown", chosen == shown[0])
        found.add("choices: the last shown", chosen == shown[-1])


def _lists(asked: Sequence[Answered], grades: Grades, found: Tally) -> None:
    places: dict[int, list[dict[str, int]]] = defaultdict(list)
    for judgement, answer in asked:
        shown = [doc.doc_id for doc in judgement.docs]
        of = f"lists of {len(shown)}"
        order = [*answer.ranked, *answer.omitted]  # type: ignore[union-attr]
        place = {doc_id: i for i, doc_id in enumerate(order)}
        found.add(f"{of}: given back as shown", order == shown)
        for (i, a), (j, b) in combinations(enumerate(shown), 2):
            apart, kept = grades.get(a, 0) - grades.get(b, 0), place[a] < place[b]
            if apart:
                found.add(f"{of}, unlike grades, {_apart(apart)}: right", kept == (apart > 0))
            else:
                near = f"up to {NEAR} places apart" if j - i <= NEAR else "further apart"
                found.add(f"{of}, equal grades, {near}: stay as shown", kept)
        for before in places[len(shown)]:
            both = [doc_id for doc_id in shown if doc_id in before]
            for a, b in combinations(both, 2):
                found.add(f"{of}: two answers agree", (place[a] < place[b]) == (before[a] < before[b]))
        places[len(shown)].append(place)


def _apart(difference: int) -> str:
    return "one apart" if abs(difference) == 1 else "more apart"


def numbers(tallies: Iterable[Tally]) -> dict[str, float]:
    """Shares over some queries."""
    total: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for one in tallies:
        for name, (so, among) in one.counts.items():
            total[name][0] += so
            total[name][1] += among
    return {name: so / among for name, (so, among) in total.items()}


@dataclass(frozen=True)
class Likeness:
    """One judge's answers to one set of questions, beside what simulated judges answer to the same.

    Attributes:
        qrels: Path of the judgements.
        grades: Their grades by query.
        answered: What was asked, and what the real judge said.
    """

    qrels: Path
    grades: Mapping[str, Grades]
    answered: ByQuery

    @cached_property
    def real(self) -> Numbers:
        """The real judge's numbers."""
        return numbers(self._real.values())

    @cached_property
    def error(self) -> Numbers:
        """The error of each number."""
        chance, all_of_them = random.Random(0), list(self._real.values())
        drawn = [numbers(chance.choices(all_of_them, k=len(all_of_them))) for _ in range(DRAWS)]
        return {name: math.hypot(SLACK, stdev(one.get(name, self.real[name]) for one in drawn)) for name in self.real}

    @cached_property
    def _real(self) -> dict[str, Tally]:
        return {query_id: tally(asked, self.grades.get(query_id, {})) for query_id, asked in self.answered.items()}

    def simulated(self, world: World, seeds: Iterable[int]) -> Numbers:
        """The numbers of a simulated judge, means over seeds."""
        samples = [numbers(self._simulated(world, seed)) for seed in seeds]
        return {name: fmean(sample[name] for sample in samples) for name in self.real}

    def distance(self, world: World, seeds: Iterable[int] = FRESH) -> float:
        """How far the simulated judge is."""
        found = self.simulated(world, seeds)
        return math.sqrt(fmean(((found[name] - self.real[name]) / self.error[name]) ** 2 for name in self.real))

    @property
    def size(self) -> int:
        """How many documents a prompt shows at most: what tells the kinds of questions apart."""
        return max(len(judgement.docs) for asked in self.answered.values() for judgement, _ in asked)

    def halves(self) -> tuple["Likeness", "Likeness"]:
        """Every second query, and the others."""
        ids = sorted(self.answered)
        one, other = ({key: self.answered[key] for key in part} for part in (ids[::2], ids[1::2]))
        return Likeness(self.qrels, self.grades, one), Likeness(self.qrels, self.grades, other)

    def nearest(self) -> tuple[str, float]:
        """The world that comes with the package whose judge is nearest, and its distance."""
        found = {name: self.distance(world) for name, world in WORLDS.items()}
        name = min(found, key=found.__getitem__)
        return name, found[name]

    def _simulated(self, world: World, seed: int) -> list[Tally]:
        judge = Simulated(name=str(self.qrels), seed=seed, **world._asdict())
        found = []
        for query_id, asked in self.answered.items():
            replies = [(judgement, judge.answer(judgement)) for judgement, _ in asked]
            answers = [(judgement, reply.answer) for judgement, reply in replies if isinstance(reply, Reply)]
            found.append(tally(answers, self.grades.get(query_id, {})))
        return found


def fitted(sets: Iterable[Likeness]) -> World:
    """The world nearest to a judge in all that it was asked: every set counts alike.

    What a world says of one document alone, of two, and of longer lists can be told apart, given its belief and noise.
    Hence the three are chosen one by one for every pair of these. What was not asked stays as it is by default.
    """
    sets = list(sets)
    alone = [one for one in sets if one.size == 1]
    pairs = [one for one in sets if one.size == PAIR]
    longer = [one for one in sets if one.size > PAIR]

    def best(worlds: Iterable[World], kind: Sequence[Likeness]) -> tuple[float, World]:
        return min((sum(one.distance(world, SEEDS) ** 2 for one in kind), world) for world in worlds)

    found = []
    for belief, noise in product(BELIEFS, NOISES if pairs or longer else (0.0,)):
        start = World(belief, noise, 0.0)
        lists, world = best((start._replace(position=place) for place in PLACES), longer) if longer else (0.0, start)
        two, paired = best((world._replace(pair=place) for place in PLACES), pairs) if pairs else (0.0, world)
        one, whole = best((paired._replace(alone=more) for more in ALONE), alone) if alone else (0.0, paired)
        found.append((lists + two + one, whole))
    return min(found)[1]
