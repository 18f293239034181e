"""Explanations in sentences."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from rerankllm.analysis.answers import Answers
from rerankllm.analysis.explain.evidence import Pair
from rerankllm.analysis.explain.history import Appearance, DocumentHistory, Ranked

FEW = 5
"""Ids that are named; of more, how many there are."""


def facts(found: DocumentHistory, ranked: Ranked) -> list[str]:
    """The few sentences that matter most."""
    return [
        _standing(found, ranked),
        _judged(found, ranked),
        *[f"Directly above stands {pair.one}. {told(pair)}" for pair in _known(found.above)],
        *[f"Directly below stands {pair.other}. {told(pair)}" for pair in _known(found.below)],
    ]


def _known(pair: Pair | None) -> list[Pair]:
    return [] if pair is None else [pair]


def _standing(found: DocumentHistory, ranked: Ranked) -> str:
    here = f"{found.doc_id} stands at {found.rank} of {len(ranked.doc_ids)}"
    if found.rank is None:
        here = f"{found.doc_id} is not in the run, which lists {len(ranked.doc_ids)} documents of this query"
    if found.first_rank is None:
        return f"{here}; where the first stage had it is not known."
    moved = (found.rank or found.first_rank) - found.first_rank
    way = ""
    if found.rank is not None:
        way = f": {abs(moved)} {'down' if moved > 0 else 'up'}" if moved else ": where it was"
    return f"{here}; the first stage had it at {found.first_rank}{way}."


def _judged(found: DocumentHistory, ranked: Ranked) -> str:
    if found.standing == "beyond depth":
        return f"It was not read: it is beyond depth {ranked.depth}."
    if found.standing == "never shown":
        if not ranked.judgements:
            return "The journal holds no judgement of this query: nothing says why."
        return "No judgement that came back showed it: it stands by the first stage, and by what passed it."
    doc_id, appearances = found.doc_id, found.appearances
    count, total = len({id(each.heard) for each in appearances}), len(ranked.judgements)
    said = f"It was shown in {count} of {total} judgements"
    passages = sorted({each.shown for each in appearances}, key=lambda shown: (len(shown), shown))
    if passages != [doc_id]:
        said += f", cut into {_names(passages)}"
    record = found.record
    if record is not None:
        parts = [f"won {len(record.won)}", f"lost {len(record.lost)}", f"tied {len(record.tied)}"]
        parts += [f"{record.unusable} without a usable answer"] if record.unusable else []
        said += f"; its comparisons: {', '.join(parts)}"
        if record.agreed or record.disagreed:
            said += f"; asked in both orders, {record.agreed} pairs agree and {record.disagreed} do not"
    for score, place, of in found.scores:
        said += f"; scored {score:.4g}, {_nth(place)} of {of}"
    said += _chosen([each for each in appearances if each.heard.kind == "Select" and each.heard.answer])
    placed = [_place_in(each.heard, each.shown) for each in appearances]
    best = min((place for place in placed if place is not None), default=None)
    if best is not None:
        said += f"; placed {_nth(best)} at best"
    return f"{said}."


def _chosen(choices: Sequence[Appearance]) -> str:
    """How often it was chosen, as one of the best and as one of the worst."""
    said = ""
    for worst in (False, True):
        found = [each for each in choices if bool(each.heard.parameters["worst"]) is worst]
        chosen = sum(each.shown in each.heard.answer for each in found)
        if found:
            said += (
                f"; chosen{' as the worst' if worst else ''} in {chosen} of {len(found)}{'' if worst else ' choices'}"
            )
    return said


def line(appearance: Appearance, doc_id: str) -> str:
    """A judgement in a line: where, with whom, what was answered, what moved."""
    heard, own = appearance.heard, doc_id
    doc_id = appearance.shown
    call = f"call {heard.call}" if heard.call is not None else "bought by another run"
    others = [other for other in heard.docs if other != doc_id]
    shown = f"shown {_nth(appearance.place)} of {len(heard.docs)}" if len(heard.docs) > 1 else "alone"
    if heard.kind == "Compare":
        shown = f"against {others[0]}, shown {'first' if appearance.place == 1 else 'second'}"
    shown += f" as {doc_id}" if doc_id != own else ""
    parts = [f"round {heard.round}, {call}: {heard.kind}, {shown}: {said_of(heard, doc_id)}"]
    if heard.status == "repaired":
        parts.append(f"the answer was repaired ({', '.join(f'{name} {n}' for name, n in heard.repairs.items())})")
    if appearance.stretch is not None:
        parts += _moves(appearance, doc_id)
    return "; ".join(parts)


def _moves(appearance: Appearance, doc_id: str) -> list[str]:
    stretch = appearance.stretch
    if stretch is None:
        return []
    (old, new), (passed, passed_by) = stretch.move(doc_id), stretch.passed(doc_id)
    last = stretch.first + len(stretch.before) - 1
    moved = f"moved from {old} to {new}" if old != new else f"stayed at {old}"
    found = [f"{moved} (places {stretch.first} to {last})"]
    found += [f"passed {_names(passed)}"] if passed else []
    return found + ([f"passed by {_names(passed_by)}"] if passed_by else [])


def said_of(heard: Answers, doc_id: str) -> str:
    """What an answer says of a document."""
    return f"no usable answer ({heard.reason})" if heard.answer is None else _SAYINGS[heard.kind](heard, doc_id)


def _compared(heard: Answers, doc_id: str) -> str:
    own = heard.answer if heard.docs[0] == doc_id else 1 - heard.answer
    verdict = "tied" if own == 0.5 else "won" if own > 0.5 else "lost"  # noqa: PLR2004
    return f"{verdict} (p {own:.3g})"


def _selected(heard: Answers, doc_id: str) -> str:
    way, count = "the worst" if heard.parameters["worst"] else "the best", len(heard.answer)
    if doc_id not in heard.answer:
        return f"not chosen as {way}" if count == 1 else f"not chosen among {way} {count}"
    return f"chosen as {way}" if count == 1 else f"chosen as {_nth(heard.answer.index(doc_id) + 1)} of {way} {count}"


def _ends(heard: Answers, doc_id: str) -> str:
    best, worst = heard.answer
    return {best: "called the best", worst: "called the worst"}.get(doc_id, "called neither best nor worst")


def _graded(heard: Answers, doc_id: str) -> str:
    level = heard.levels.get(doc_id)
    return "given no grade" if level is None else f"graded {-level.at:g} of {heard.parameters['scale']}"


def _placed(heard: Answers, doc_id: str) -> str:
    place = _place_in(heard, doc_id)
    if place is None:
        return "not named in the answer"
    tied = Counter(level.at for level in heard.levels.values())[heard.levels[doc_id].at] - 1
    return f"placed {_nth(place)} of {len(heard.docs)}" + (f", tied with {tied} others" if tied else "")


def _scored(heard: Answers, doc_id: str) -> str:
    score = heard.scores.get(doc_id)
    return "given no score" if score is None else f"{'cosine' if heard.kind == 'Embed' else 'scored'} {score:.4g}"


_SAYINGS: Mapping[str, Callable[[Answers, str], str]] = {
    "Compare": _compared,
    "Select": _selected,
    "Ends": _ends,
    "Grade": _graded,
    "Permute": _placed,
    "Score": _scored,
    "Assess": _scored,
    "Embed": _scored,
}


def _place_in(heard: Answers, doc_id: str) -> int | None:
    """The place that an answer gives to a document; None unless it is an order that names it."""
    if heard.kind != "Permute" or doc_id not in heard.levels or not heard.levels[doc_id].named:
        return None
    return 1 + sum(level.at < heard.levels[doc_id].at for level in heard.levels.values())


def told(pair: Pair) -> str:
    """What tells two documents apart, `pair.one` standing above."""
    if pair.ground == "together":
        said = _together(pair)
    elif pair.ground == "scores" and pair.scores is not None:
        said = f"{pair.one} was scored {pair.scores[0]:.4g}, {pair.other} {pair.scores[1]:.4g}"
    elif pair.ground == "strength":
        said = f"{_undecided(pair)}; by their probabilities, {pair.better} is ahead"
    elif pair.ground == "others":
        said = f"{_undecided(pair)}, but a chain tells them apart: {' before '.join(pair.chain)}"
    else:
        said = f"{_undecided(pair)}: here the first stage decides, or the strategy by all of its answers"
    agreed, disagreed = pair.orders
    if agreed or disagreed:
        said += f" (asked in both orders: {'they agree' if not disagreed else 'they disagree'})"
    if pair.better == pair.other:
        said += "; yet it stands above: the first stage, or the strategy by all of its answers, decided"
    return f"{said}."


def _undecided(pair: Pair) -> str:
    """Says that no judgement that showed both tells them apart, and why."""
    verdicts = [verdict for _, verdict in pair.together if verdict is not None]
    if any(verdicts):
        return f"Judgements that showed both contradict each other, {verdicts.count(1)} for each"
    return "Judgements that showed both call it a tie" if verdicts else "No judgement tells the two apart"


def _together(pair: Pair) -> str:
    """What the judgements that showed both say: the answer of the only one, or how many are for each."""
    telling = [(heard, verdict) for heard, verdict in pair.together if verdict]
    if len(telling) == 1:
        heard, _ = telling[0]
        answers = (
            f"{part}: {said_of(heard, part)}" for doc_id in (pair.one, pair.other) for part in heard.shown(doc_id)
        )
        return f"In round {heard.round}, which showed both, {'; '.join(answers)}"
    for_one = sum(verdict == 1 for _, verdict in telling)
    return f"Shown together, {pair.one} was put before in {for_one} and behind in {len(telling) - for_one} judgements"


def _names(doc_ids: Sequence[str]) -> str:
    rest = len(doc_ids) - FEW
    return ", ".join(doc_ids[:FEW]) + (f" and {rest} more" if rest > 0 else "")


def _nth(number: int) -> str:
    teen = 10 <= number % 100 <= 20  # noqa: PLR2004
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
