"""Answers as chat models write them, in many styles, each with what it means.

A style is given an order of the numbers 1 to n, best first, and a source of chance. It writes an answer and says what
that answer means: groups, best first, or None where it means no order. A reader may fail on an answer that means
something; it must not read another meaning out of it and call that parsed.
"""

# ruff: noqa: E501 - a style is a line: what it writes and what that means

import json
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

Groups = list[list[int]]
Style = Callable[[list[int], random.Random], tuple[str, Groups | None]]

WORDS = (
    "fleas live about three months on a host",
    "the passage names the month and the year",
    "dogs bark at night",
    "a tower of 330 metres, built in 1889",
    "it mentions 2 studies from 2019",
    "not about the question at all",
    "gives a full answer with numbers",
    "talks about cats, horses and 14 birds",
)
REMARKS = (
    "most relevant",
    "answers directly",
    "partly relevant",
    "off topic",
    "names the year 1999",
    "least relevant",
    "10 examples",
)


def strict(order: list[int]) -> Groups:
    return [[i] for i in order]


def joined(separator: str, form: str = "[{}]", before: str = "", after: str = "") -> Style:
    def style(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
        return before + separator.join(form.format(i) for i in order) + after, strict(order)

    return style


def ascending(separator: str, form: str = "[{}]", before: str = "", after: str = "") -> Style:
    def style(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
        return before + separator.join(form.format(i) for i in reversed(order)) + after, strict(order)

    return style


def per_line(form: str, before: str = "", after: str = "", *, places: bool = False) -> Style:
    """`form` sees the place and the label, and words to say."""

    def style(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
        lines = (
            form.format(place=p, label=i, words=rng.choice(WORDS), remark=rng.choice(REMARKS))
            for p, i in enumerate(order, 1)
        )
        return before + "\n".join(lines) + after, strict(order)

    return style


def as_json(make: Callable[[list[int]], object], indent: int | None = None, before: str = "", after: str = "") -> Style:
    def style(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
        return before + json.dumps(make(order), indent=indent) + after, strict(order)

    return style


def scored(
    form: str, between: str = "\n", best: int = 10, before: str = "", after: str = "", *, shuffled: bool = False
) -> Style:
    """A score for each label, in the order shown."""

    def style(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
        scores = {i: rng.randint(0, best) for i in order}
        shown = sorted(order)
        if shuffled:
            rng.shuffle(shown)
        text = (
            before + between.join(form.format(label=i, score=scores[i], words=rng.choice(WORDS)) for i in shown) + after
        )
        levels = sorted(set(scores.values()), reverse=True)
        return text, [sorted(i for i in order if scores[i] == level) for level in levels]

    return style


def ranked(form: str, between: str = "\n", before: str = "", after: str = "") -> Style:
    """A rank for each label, in the order shown."""

    def style(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
        rank = {i: place for place, i in enumerate(order, 1)}
        endings = {1: "st", 2: "nd", 3: "rd"}
        text = between.join(
            form.format(
                label=i,
                rank=rank[i],
                nth=f"{rank[i]}{endings.get(rank[i], 'th') if rank[i] < 20 else 'th'}",
                words=rng.choice(WORDS),
            )
            for i in sorted(order)
        )
        return before + text + after, strict(order)

    return style


def meaningless(form: Callable[[list[int], random.Random], str]) -> Style:
    def style(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
        return form(order, rng), None

    return style


def chain(order: list[int]) -> str:
    return " > ".join(f"[{i}]" for i in order)


def after_draft(form: str) -> Style:
    """A draft chain, and then the answer."""

    def style(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
        draft = rng.sample(order, len(order))
        numbered = "\n".join(f"{p}. [{i}]" for p, i in enumerate(order, 1))
        return form.format(
            draft=chain(draft), final=chain(order), numbered=numbered, commas=", ".join(map(str, order))
        ), strict(order)

    return style


def annotated(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
    remarks = [
        "most relevant",
        *(rng.choice(("partly", "close", "some overlap, 3 facts")) for _ in order[1:-1]),
        "least relevant",
    ]
    return " > ".join(f"[{i}] ({remark})" for i, remark in zip(order, remarks[: len(order)], strict=True)), strict(
        order
    )


def tied(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
    text, groups = f"[{order[0]}]", [[order[0]]]
    for i in order[1:]:
        if rng.random() < 0.3:
            text += f" = [{i}]"
            groups[-1].append(i)
        else:
            text += f" > [{i}]"
            groups.append([i])
    return text, [sorted(group) for group in groups]


def table(
    names: tuple[str, ...], make: Callable[[int, int, random.Random], tuple[object, ...]], *, shown: bool
) -> Style:
    def style(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
        place = {i: p for p, i in enumerate(order, 1)}
        rows = [make(place[i], i, rng) for i in (sorted(order) if shown else order)]
        lines = [
            "| " + " | ".join(names) + " |",
            "|" + "---|" * len(names),
            *("| " + " | ".join(map(str, row)) + " |" for row in rows),
        ]
        return "\n".join(lines), strict(order)

    return style


def worst_and_best(order: list[int], rng: random.Random) -> str:
    return f"Worst: [{order[-1]}]. Best: [{order[0]}]."


def passages(form: str, between: str = "\n") -> Style:
    return meaningless(
        lambda order, rng: between.join(
            form.format(label=i, words=rng.choice(WORDS), remark=rng.choice(REMARKS)) for i in sorted(order)
        )
    )


def _scored_json(order: list[int], rng: random.Random, make: Callable[[int, int], object]) -> tuple[str, Groups | None]:
    scores = {i: rng.randint(0, 10) for i in order}
    levels = sorted(set(scores.values()), reverse=True)
    groups = [sorted(i for i in order if scores[i] == level) for level in levels]
    return json.dumps([make(i, scores[i]) for i in sorted(order)], indent=rng.choice((None, 2))), groups


def _scored_lines(order: list[int], rng: random.Random) -> tuple[str, Groups | None]:
    scores = {i: rng.randint(0, 10) for i in order}
    levels = sorted(set(scores.values()), reverse=True)
    groups = [sorted(i for i in order if scores[i] == level) for level in levels]
    return "\n".join(json.dumps({"passage": i, "score": scores[i]}) for i in sorted(order)), groups


STYLES: dict[str, Style] = {
    # Chains
    "chain": joined(" > "),
    "chain, tight": joined(">"),
    "chain, bare": joined(" > ", "{}"),
    "chain, named": joined(" > ", "Passage {}"),
    "chain, documents": joined(" > ", "Document {}"),
    "chain, identifiers": joined(" > ", "[ID {}]"),
    "chain, parentheses": joined(" > ", "({})"),
    "chain, bold": joined(" > ", "**[{}]**"),
    "chain, all bold": joined(" > ", before="**", after="**"),
    "chain, double": joined(" >> "),
    "chain, arrows": joined(" → "),
    "chain, drawn arrows": joined(" -> ", "{}"),
    "chain, entities": joined(" &gt; "),
    "chain, full width": joined("＞", "［{}］"),
    "chain, latex": joined(" \\succ ", "{}", "$", "$"),
    "chain, boxed": joined(" > ", before="\\boxed{", after="}"),
    "chain, a line each": joined("\n> "),
    "chain, wrapped": joined(" >\n"),
    "chain, fenced": joined(" > ", before="```\n", after="\n```"),
    "chain, tags": joined(" > ", before="<answer>", after="</answer>"),
    "chain, after a word": joined(" > ", before="Ranking: "),
    "chain, after a heading": joined(" > ", before="### Final Ranking\n\n"),
    "chain, after a sentence": joined(" > ", before="Here is the ranking of the 5 passages you gave me, most relevant first:\n\n"),
    "chain, quoted": joined(" > ", before="> "),
    "chain, then a remark": joined(" > ", after="\n\nPassage [2] answers best, and [1] is about 3 dogs."),
    "chain, then a sentence": joined(" > ", after=" is my ranking."),
    "chain, none relevant": joined(" > ", before="None of the passages is a full answer, but here is my ranking: "),
    "chain, annotated": annotated,
    "chain, ties": tied,
    "chain, opened": lambda order, rng: (chain(order)[1:], strict(order)),
    "chain, opened, bare first": lambda order, rng: (chain(order)[1:].replace("]", "", 1), strict(order)),
    "chain, after a thought": joined(" > ", before="<think>[1] > [2]? No, [2] > [1].</think>\n"),
    "chain, german": joined(" > ", "Passage {}", "Hier ist die Rangfolge: "),
    "chain, chinese": joined(" > ", before="排序结果："),
    "chain, after reasons": lambda order, rng: (
        "\n".join(f"[{i}] {rng.choice(WORDS)}." for i in sorted(order)) + "\n\nSo: " + chain(order), strict(order)),
    # Drafts
    "draft, impression": after_draft("My first impression: {draft}. After reading again, my final ranking: {final}"),
    "draft, initial": after_draft("Initial ranking: {draft}\n\nFinal ranking: {final}"),
    "draft, wait": after_draft("{draft}… wait, actually {final}"),
    "draft, two lines": after_draft("{draft}\n{final}"),
    "draft, then numbered": after_draft("Draft: {draft}\n\nFinal ranking:\n{numbered}"),
    "draft, unsaid, then numbered": after_draft("{draft}\n\nHmm, let me look again.\n\nFinal ranking:\n{numbered}"),
    "draft, corrected": after_draft("{draft}\n\nCorrection: {final}"),
    "draft, struck": after_draft("~~{draft}~~ {final}"),
    "draft, then commas": after_draft("At first I thought {draft}. Ranking: {commas}"),
    "alternative after": after_draft("{final}\n\nAlternatively, one could say {draft}."),
    "wrong one after": after_draft("{final}, not {draft}."),
    "original order": after_draft("Original order: {draft}\nNew order: {final}"),
    "note after": after_draft("{final}\n\nNote: a reader in a hurry might prefer {draft}."),
    "rather than": after_draft("I would rank them {final} rather than {draft}."),
    "taken back": lambda order, rng: (f"{chain(rng.sample(order, len(order)))}\n\nWait, that is wrong. Let me redo this.", None),
    "example first": lambda order, rng: (
        f'Order all passages, joined by " > ", as in [2] > [1] > [3], every identifier exactly once.\n\n{chain(order)}', strict(order)),
    "example only": meaningless(lambda order, rng: f"I should answer in the form, e.g., {chain(rng.sample(order, len(order)))}."),
    # Lists
    "commas": joined(", "),
    "commas, bare": joined(", ", "{}"),
    "commas, after a word": joined(", ", "{}", "Ranking: "),
    "commas, final": joined(", ", "{}", "**Final ranking:** "),
    "commas, sentence": joined(", ", "{}", "The ranking is ", "."),
    "commas, most to least": joined(", ", "{}", "From most to least relevant: "),
    "commas, named": joined(", ", "Passage {}", "The order is: "),
    "commas, heading": joined(", ", "{}", "## Ranking\n"),
    "commas, list": joined(", ", "{}", "[", "]"),
    "commas, top": lambda order, rng: (f"Top {len(order)}: " + ", ".join(map(str, order)), strict(order)),
    "semicolons": joined("; ", "[{}]"),
    "spaces": joined(" "),
    "spaces, bare": joined(" ", "{}"),
    "chinese commas": joined("、", "{}", "排序："),
    "chinese nouns": joined("，", "段落{}", "排名："),
    "japanese": joined("、", "[{}]", "順位: "),
    "spanish": joined(", ", "{}", "Orden: "),
    "french": joined(", ", "{}", "Classement : "),
    "german": joined(", ", "{}", "Reihenfolge: "),
    "russian": joined(", ", "{}", "Порядок: "),
    "then": joined(", then "),
    "followed by": joined(", followed by ", "Passage {}"),
    "explained after": joined(", ", "{}", "Ranking: ", " because the first names 2 months and the last is off topic"),
    # Ascending
    "ascending chain": ascending(" < "),
    "ascending chain, bare": ascending(" < ", "{}"),
    "ascending, least to most": ascending(", ", "{}", "From least to most relevant: "),
    "ascending, bracketed": ascending(", ", before="Least relevant to most relevant: "),
    "ascending, worst first": ascending(", ", "{}", "Ranking (worst first): "),
    "ascending, worst to best": ascending(", ", "{}", "Worst to best: "),
    "ascending, order": ascending(", ", "{}", "In ascending order of relevance: "),
    "ascending, after": ascending(", ", "{}", after=" (least to most relevant)"),
    "ascending, lines": ascending("\n", "[{}]", "From least to most relevant:\n"),
    "ascending, first said": ascending(", ", "{}", "I list them from the least relevant to the most relevant.\n\n"),
    "ascending, arrows": ascending(" → ", before="Least relevant → most relevant: "),
    "ascending, german": ascending(", ", "{}", "Vom am wenigsten zum am meisten relevanten: "),
    "ascending, french": ascending(", ", "{}", "Classement du moins au plus pertinent : "),
    "ascending, spanish": ascending(", ", "{}", "Orden de menos a más relevante: "),
    "ascending, chinese": ascending("，", "{}", "排序（从最不相关到最相关）："),
    "ascending, numbered": lambda order, rng: (
        "From least to most relevant:\n" + "\n".join(f"{p}. [{i}]" for p, i in enumerate(reversed(order), 1)), strict(order)),
    # Numbered lines
    "numbered": per_line("{place}. Passage {label}"),
    "numbered, brackets": per_line("{place}. [{label}]"),
    "numbered, parentheses": per_line("{place}) [{label}]"),
    "numbered, bold": per_line("{place}. **Passage {label}**"),
    "numbered, bare": per_line("{place}. {label}"),
    "numbered, reasons": per_line("{place}. [{label}] - {words}", "Here is my ranking:\n\n"),
    "numbered, remarks": per_line("{place}. **[{label}]** ({remark})"),
    "numbered, sentences": per_line("{place}. Passage {label}: {words}."),
    "numbered, sub-bullets": per_line("{place}. [{label}]\n   - {words}"),
    "numbered, one line": lambda order, rng: (" ".join(f"{p}. [{i}]" for p, i in enumerate(order, 1)), strict(order)),
    "numbered, lazy": per_line("1. [{label}]"),
    "rank lines": per_line("Rank {place}: [{label}]"),
    "rank lines, bare": per_line("Rank {place}: {label}"),
    "hash lines": per_line("#{place}: Passage {label}"),
    "colon lines": per_line("{place}: [{label}]"),
    "keycaps": per_line("{place}\ufe0f\u20e3 [{label}]"),
    "countdown": lambda order, rng: ("\n".join(f"{p}. [{i}]" for p, i in reversed(list(enumerate(order, 1)))), strict(order)),
    "numbered, chinese": per_line("{place}. 段落{label}：{words}", "排名如下：\n"),
    "numbered, japanese": per_line("{place}位: [{label}]"),
    # Lines
    "lines": per_line("[{label}]"),
    "lines, bare": per_line("{label}"),
    "lines, bullets": per_line("- [{label}]"),
    "lines, named": per_line("Passage {label}", "Ranking:\n"),
    "lines, heading": per_line("* {label}", "**Ranking (most relevant first):**\n\n"),
    "lines, reasons": per_line("- [{label}]: {words}", "Ranking from most to least relevant:\n"),
    # Scores and ranks
    "scores": scored("[{label}]: {score}"),
    "scores, out of": scored("[{label}] {score}/10"),
    "scores, out of, spaced": scored("Passage {label}: {score} / 10"),
    "scores, words": scored("Passage {label}: score {score}"),
    "scores, points": scored("[{label}] - {score} points"),
    "scores, bare": scored("{label}: {score}"),
    "scores, reasons": scored("[{label}]: {score} - {words}"),
    "scores, out of, reasons": scored("[{label}]: {score}/10 because {words}"),
    "scores, one line": scored("[{label}]: {score}", ", "),
    "scores, parentheses": scored("[{label}] ({score}/10)", ", "),
    "scores, numbered": scored("{label}. [{label}]: {score}/10"),
    "scores, heading": scored("[{label}]: {score}", before="Scores:\n"),
    "scores, shuffled": scored("[{label}]: {score}", shuffled=True),
    "scores, percent": scored("[{label}]: {score}%", best=100),
    "scores, decimals": scored("[{label}]: 0.{score}", best=9),
    "scores, says": scored("Passage {label} scores {score}.", " "),
    "scores, relevance": scored("**Passage {label}**\nRelevance: {score}/10\n{words}"),
    "scores, small": scored("[{label}]: {score}", best=3),
    "scores, json": lambda order, rng: _scored_json(order, rng, lambda i, s: {"id": i, "score": s}),
    "scores, json, named": lambda order, rng: _scored_json(order, rng, lambda i, s: {"passage": f"[{i}]", "relevance_score": s}),
    "scores, json lines": _scored_lines,
    "ranks": ranked("[{label}]: rank {rank}"),
    "ranks, nth": ranked("Passage {label}: {nth}"),
    "ranks, words": ranked("[{label}] is ranked {nth}", ", "),
    "ranks, hash": ranked("[{label}] #{rank}"),
    "ranks, heading": ranked("[{label}]: {rank}", before="Ranks (1 = most relevant):\n"),
    "ranks, unsaid": meaningless(lambda order, rng: "\n".join(f"[{i}]: {order.index(i) + 1}" for i in sorted(order))),
    # Tables
    "table, rank": table(("Rank", "Passage"), lambda p, i, rng: (p, f"[{i}]"), shown=False),
    "table, rank, bare": table(("Rank", "Passage"), lambda p, i, rng: (p, i), shown=False),
    "table, rank last": table(("Passage", "Rank"), lambda p, i, rng: (i, p), shown=True),
    "table, reasons": table(("Rank", "Passage", "Reason"), lambda p, i, rng: (p, f"[{i}]", rng.choice(WORDS)), shown=False),
    "table, score": table(("Passage", "Score"), lambda p, i, rng: (f"[{i}]", 100 - p), shown=True),
    "table, score, reasons": table(("Passage", "Score", "Reason"), lambda p, i, rng: (i, 100 - p, rng.choice(WORDS)), shown=True),
    "table, all": table(("Rank", "Document", "Score"), lambda p, i, rng: (p, i, f"{100 - p}/100"), shown=False),
    "csv": lambda order, rng: ("rank,passage\n" + "\n".join(f"{p},{i}" for p, i in enumerate(order, 1)), strict(order)),
    # JSON
    "json": as_json(lambda order: order),
    "json, ranking": as_json(lambda order: {"ranking": order}),
    "json, strings": as_json(lambda order: {"ranking": [f"[{i}]" for i in order]}, 2),
    "json, fenced": as_json(lambda order: {"ranked_passages": order}, 2, "```json\n", "\n```"),
    "json, prose": as_json(lambda order: {"ranking": order}, None, "Here is the ranking:\n\n", "\n\nLet me know if you need more!"),
    "json, reasoning": as_json(lambda order: {"reasoning": "[1] > [2] is tempting", "ranking": order}),
    "json, objects, rank": as_json(lambda order: [{"rank": p, "passage": i} for p, i in enumerate(order, 1)], 2),
    "json, objects, rank, shown": as_json(lambda order: [{"id": i, "rank": order.index(i) + 1} for i in sorted(order)]),
    "json, objects": as_json(lambda order: [{"id": i, "reason": "it says so"} for i in order]),
    "json, chain": as_json(lambda order: {"answer": chain(order)}),
    "json, by place": as_json(lambda order: {str(p): f"[{i}]" for p, i in enumerate(order, 1)}),
    "json, python": lambda order, rng: (str({"ranking": [f"Passage {i}" for i in order]}), strict(order)),
    "json, initial and final": lambda order, rng: (
        json.dumps({"initial_ranking": rng.sample(order, len(order)), "final_ranking": order}), strict(order)),
    "json, ascending": as_json(lambda order: {"least_to_most_relevant": order[::-1]}),
    # What means no order
    "passages repeated": passages("[{label}] {words}"),
    "passages explained": passages("[{label}]: {words}."),
    "passages explained, numbered": passages("{label}. {words}"),
    "passages explained, named": passages("Passage {label} {words}.", " "),
    "passages explained, remarks": passages("- Passage {label}: {remark}"),
    "passages explained, both": passages("{label}. [{label}]: {words}"),
    "none relevant": meaningless(lambda order, rng: "None is relevant: " + ", ".join(f"[{i}]" for i in order)),
    "none relevant, words": meaningless(lambda order, rng: f"Passages {', '.join(map(str, order[:-1]))} and {order[-1]} are all irrelevant."),
    "worst and best": meaningless(worst_and_best),
    "refusal": meaningless(lambda order, rng: f"I'm sorry, I can't rank these {len(order)} passages."),
    "refusal, names": meaningless(lambda order, rng: f"I cannot rank [{order[0]}], [{order[-1]}] and the others without more context."),
    "count": meaningless(lambda order, rng: f"{len(order)} passages were provided. I will rank them from 1 to {len(order)}."),
    "mentions": meaningless(lambda order, rng: " ".join(f"[{i}] {rng.choice(WORDS)}." for i in order)),
    "enumeration": meaningless(lambda order, rng: "You gave me passages " + ", ".join(map(str, sorted(order))) + "."),
    "read": meaningless(lambda order, rng: "I have read [" + "], [".join(map(str, sorted(order))) + "] carefully."),
    "irrelevant list": meaningless(lambda order, rng: "Irrelevant: " + ", ".join(f"[{i}]" for i in order)),
    "years": meaningless(lambda order, rng: "\n".join(f"[{i}]: {rng.randint(1900, 2020)}" for i in sorted(order))),
    "counts": meaningless(lambda order, rng: "\n".join(f"[{i}]: {rng.randint(2, 9)} fleas" for i in sorted(order))),
    "thought cut off": meaningless(lambda order, rng: f"<think>Let me see. {chain(order)}"),
    "unsorted": meaningless(lambda order, rng: "The passages, unsorted: " + ", ".join(map(str, order))),
}  # fmt: skip


BEFORE = (
    "Sure! ",
    "Sure! Here's the ranking:\n\n",
    "Based on the query, I evaluated all {n} passages.\n\n",
    "Here is my ranking of the {n} passages, from most to least relevant:\n\n",
    "The query asks how long fleas live.\n",
    "I looked at how well each passage answers the question. Passage [{k}] surprised me.\n\n",
    "**Ranking**\n\n",
    "Okay, so the user wants a ranking.\n\n",
    "Voici le classement :\n",
    "以下是排序结果：\n",
)
AFTER = (
    "\n",
    "\n\nI hope this helps!",
    "\n\nPassage [{k}] is the most relevant because it names 3 months.",
    "\n\nPassage [{k}] actually answers the question, unlike passage [{j}].",
    "\n\n**Explanation:** The ranking reflects how directly each passage answers. [{k}] and [{j}] are close.",
    "\n\nNote that passages [{k}] and [{j}] do not answer the question.",
    "\n\nLet me know if you need anything else.",
    "\n\nNone of the passages is perfect.",
)
"""What stands before and after answers; it changes the meaning of none."""
UNCHANGED = (
    "opened",
    "json lines",
    "csv",
    "thought",
    "table",
    "drafts",
    "enumeration",
    "taken back",
    "scores, says",
    "passages",
    "mentions",
)
"""Parts of the names of styles that are nothing else with words around them."""


class Made(NamedTuple):
    """An answer, made in one style, to a prompt of so many passages."""

    style: str
    text: str
    shown: int
    meaning: Groups | None


def made(each: int, seed: int) -> Iterator[Made]:
    """So many answers of each style."""
    for name, style in STYLES.items():
        rng = random.Random(f"{seed} {name}")
        for _ in range(each):
            n = rng.choice((2, 3, 4, 5, 5, 8, 10, 20))
            order = list(range(1, n + 1))
            if rng.random() < 0.95:
                rng.shuffle(order)
            text, meaning = style(order, rng)
            if not any(part in name for part in UNCHANGED):
                text = around(text, n, rng)
            yield Made(name, text, n, meaning)


def around(text: str, n: int, rng: random.Random) -> str:
    """The answer with something said before it, after it, both or neither."""
    before = rng.choice(BEFORE) if rng.random() < 0.3 and "from" not in text.casefold() else ""
    after = rng.choice(AFTER) if rng.random() < 0.3 else ""
    said = {"n": n, "k": rng.randint(1, n), "j": rng.randint(1, n)}
    return before.format(**said) + text + after.format(**said)


PIECES = (
    *"[]()>=<,;:.|/-#*\n\n\n   ",
    *(
        "[1]",
        "[2]",
        "[3]",
        "[4]",
        "1",
        "2",
        "3",
        "4",
        "5",
        "12",
        "99",
        "0",
        "A",
        "B",
        "[B]",
        "C",
        "a",
        "I",
        "02",
        "3.5",
        "-2",
        "7/10",
        "80%",
    ),
    *(
        " > ",
        " >= ",
        " < ",
        " = ",
        ", ",
        " → ",
        "->",
        " and ",
        " then ",
        " or ",
        "1. ",
        "2. ",
        "3) ",
        "- ",
        "| ",
        "\n\n",
        "] > [",
        "…",
    ),
    *(
        "Passage ",
        "passage 2",
        "Document [3]",
        "段落3",
        "第2段",
        "1st",
        "rank ",
        "score ",
        "Rank 1: ",
        "relevant",
        "not ",
        "irrelevant",
    ),
    *(
        "Ranking: ",
        "final ",
        "Final ranking:\n",
        "wait, ",
        "actually ",
        "Answer: ",
        "best",
        "worst",
        "least to most ",
        "None",
        "because ",
    ),
    *(
        "Yes",
        "No",
        "yes",
        "is better than ",
        "the second passage ",
        "e.g. ",
        "draft: ",
        "fleas ",
        "dogs bark. ",
        "Worst: ",
        "the answer is ",
    ),
    *(
        "**",
        "```json\n",
        "```",
        "{",
        "}",
        '"',
        '{"ranking": [2, 1]}',
        '{"id": 1, "score": 3}',
        "[2, 1, 3]",
        "<think>",
        "</think>",
        "<answer>",
    ),
    *(
        "</answer>",
        "&gt;",
        "&#x5B;",
        "\\succ ",
        "\\boxed{",
        "①",
        "２",
        "²",
        "［",
        "】",
        "🥇",
        "★★",
        "\ud800",
        "\x00",
        "9" * 5000,
        "\u2028",
        "~~",
    ),
)
"""What random replies are put together from."""


def mixed(rng: random.Random) -> str:
    """A reply at random: labels, separators, words and markup."""
    return "".join(rng.choice(PIECES) for _ in range(rng.choice((1, 2, 3, 5, 8, 13, 21, 40))))


CHOICES: dict[str, tuple[str, str | None]] = {
    # What is asked, and what it means: "a" the first or chosen label, "b" another one, "-" nothing.
    "{a}": ("any", "a"),
    "[{a}]": ("any", "a"),
    "**{a}**": ("any", "a"),
    "{a}.": ("any", "a"),
    "{a}\n\nThe passage says {words}.": ("any", "a"),
    "{a}\nBecause {words}.": ("any", "a"),
    "Answer: {a}": ("any", "a"),
    "Answer: **{a}**\n\nReason: {words}": ("any", "a"),
    "The answer is {a}.": ("any", "a"),
    "Final answer: {a}": ("any", "a"),
    "My verdict: {a}": ("any", "a"),
    "<think>{b}, no, {a}</think>{a}": ("any", "a"),
    "<answer>{a}</answer>": ("any", "a"),
    '{{"answer": "{a}"}}': ("any", "a"),
    '```json\n{{"reason": "{words}", "answer": "{a}"}}\n```': ("any", "a"),
    "\\boxed{{{a}}}": ("any", "a"),
    "{a} or {b}": ("any", None),
    "{a}/{b}": ("doc", None),
    "{a} and {b}": ("any", None),
    "Either {a} or {b}.": ("any", None),
    "Neither {a} nor {b}.": ("any", None),
    "Is it {a}?": ("any", None),
    "Answer: {a} or {b}": ("any", None),
    "Not {a}.": ("any", None),
    "The answer is not {a}.": ("any", None),
    "{a}. No wait, {b}.": ("any", "b"),
    "Answer: {a}\n\nCorrection: the answer is {b}.": ("any", "b"),
    "I cannot decide.": ("any", None),
    "{words}": ("any", None),
    "": ("any", None),
    "Passage {a}": ("doc", "a"),
    "Passage {a} is more relevant.": ("doc", "a"),
    "Passage {a} is more relevant than passage {b}.": ("doc", "a"),
    "Passage {a} is better because it names the months.": ("doc", "a"),
    "[{a}] is the most relevant passage.": ("doc", "a"),
    "I would choose passage {a} over passage {b}.": ("doc", "a"),
    "The more relevant passage is {a}.": ("doc", "a"),
    "[{a}] > [{b}]": ("doc", "a"),
    "{a}: irrelevant\n{b}: relevant": ("doc", "b"),
    "{b}: irrelevant\n{a}: relevant": ("doc", "a"),
    "{a} is worse than {b}.": ("doc", "b"),
    "{a} is not better than {b}.": ("doc", None),
    "{a} is less relevant than {b}.": ("doc", "b"),
    "{a} is wrong, {b} is right.": ("doc", "b"),
    "Passage {a} is irrelevant. Passage {b} answers the query.": ("doc", "b"),
    "Passage {a}: {words}. Passage {b}: {words}. Answer: {b}": ("doc", "b"),
    "Passage {a}: {words}.\nPassage {b}: {words}.": ("doc", None),
    "[{a}] {words}. [{b}] {words}.": ("doc", None),
    "{a}. {words}\n{b}. {words}": ("doc", None),
    "Both passages, {a} and {b}, are relevant.": ("doc", None),
    "Passage {a} is relevant, but passage {b} is more relevant.": ("doc", "b"),
    "{a} seems good at first, but {b} is better.": ("doc", "b"),
    "The less relevant passage is {a}.": ("doc", "b"),
    "Worst: {a}. Best: {b}.": ("doc", "b"),
    "Worse: {a}": ("doc", "b"),
    "{a} does not answer, {b} does.": ("doc", "b"),
    "Option {a}: {words}\nOption {b}: {words}\n\nI pick {b}.": ("doc", "b"),
    "{a} = {b}": ("doc", None),
    "Score: {a}": ("grade", "a"),
    "Score: {a}\nReason: {words}.": ("grade", "a"),
    "Grade: {a}/3": ("grade", "a"),
    "{a} out of 3": ("grade", "a"),
    "{a} - {words}": ("grade", "a"),
    "{a} ({words})": ("grade", "a"),
    "I would give it a {a}.": ("grade", "a"),
    "1. {words}, so grade {a}": ("grade", "a"),
    "Score (0-3): {a}": ("grade", "a"),
    "Relevance: {a}\nConfidence: {b}": ("grade", "a"),
    '{{"score": {a}, "confidence": {b}}}': ("grade", "a"),
    "The relevance of the passage is {a}.": ("grade", "a"),
    "{a}-{b}": ("grade", None),
    "between {a} and {b}": ("grade", None),
    "{a}.5": ("grade", None),
    "1{a}": ("grade", None),
    "Score: {a}/10": ("grade", None),
    "Score: 7": ("grade", None),
    "-{a}": ("grade", None),
    "Score: {a}? No, {b}.": ("grade", "b"),
    "0: not relevant, 1: related, 2: partial, 3: full": ("grade", None),
    "1. {words}.\n2. {words}.": ("grade", None),
    "{a} fleas were seen": ("grade", None),
    "Yes, it does.": ("yes", "Yes"),
    "No, it does not.": ("yes", "No"),
    "Yes/No": ("yes", None),
    "There is no doubt that {words}.": ("yes", None),
    "No doubt, yes.": ("yes", "Yes"),
    "Yes, but no.": ("yes", None),
    "No. Yes.": ("yes", None),
    "The answer is no longer there.": ("yes", None),
}
"""Answers that should be one label: what they may be asked of, and what they mean."""


class Chosen(NamedTuple):
    """An answer that should be one of the labels."""

    text: str
    labels: tuple[str, ...]
    meaning: str | None


def chosen(each: int, seed: int) -> Iterator[Chosen]:
    """So many answers of each form and kind of labels."""
    kinds = {"doc": [("A", "B")], "grade": [("0", "1", "2", "3")], "yes": [("Yes", "No")]}
    kinds["any"] = [labels for one in kinds.values() for labels in one]
    rng = random.Random(seed)
    for form, (asked, meaning) in CHOICES.items():
        for labels in kinds[asked]:
            for _ in range(each):
                a, b = rng.sample(labels, 2)
                text = form.format(a=a, b=b, words=rng.choice(WORDS))
                yield Chosen(text, labels, {"a": a, "b": b}.get(meaning or "", meaning))
