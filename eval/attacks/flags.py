"""How often the flag on documents that look like attacks is right, and how often it is raised for ordinary passages.

    python eval/attacks/flags.py --data ../shared/data

Asks no model; a minute at most. Writes eval/attacks/results/flags.md. Ordinary passages are the candidates of TREC DL
2019 and NovelEval; an attack is put on each query's tenth candidate.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rerankllm.analysis.attacks.lists import Lists
from rerankllm.analysis.attacks.suspects import reasons
from rerankllm.analysis.attacks.table import ATTACKS
from rerankllm.runs.source import Source, read_source

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

SEED = 0
COLLECTIONS = ("dl19-bm25", "noveleval")


def read(folder: Path) -> Source:
    """A collection's queries with their candidates."""
    return read_source(
        sample=False, run=folder / "run.txt", queries=folder / "queries.tsv", corpus=folder / "corpus.jsonl",
        requests=None, qrels=folder / "qrels.txt", skip_missing=True,
    )  # fmt: skip


def ordinary(sources: dict[str, Source]) -> Iterator[str]:
    """Passages that are flagged though nobody wrote them to rise, by reason."""
    for name, source in sources.items():
        found, count = Counter[str](), 0
        flagged = 0
        for query, candidates in source.queries:
            for each in candidates:
                why = reasons(query.text, each.document.content)
                count += 1
                flagged += bool(why)
                found.update(why)
        said = ", ".join(f"{reason} {times}" for reason, times in found.most_common()) or "none"
        yield f"| {name} | {count:,} | {flagged} | {flagged / count:.2%} | {said} |"


def attacked(sources: dict[str, Source]) -> Iterator[str]:
    """Of each attack, how many are flagged."""
    for attack in ATTACKS:
        cells = []
        for source in sources.values():
            lists = [Lists.of(query, found[:10], [attack], None, SEED) for query, found in source.queries]
            texts = [(each.query.text, each.by_name[attack.name][each.place].document.content) for each in lists]
            cells.append(f"{sum(bool(reasons(*each)) for each in texts)} of {len(texts)}")
        yield f"| {attack.name} | {attack.kind} | {' | '.join(cells)} |"


def main() -> None:
    """Counts and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    sources = {name: read(options.data / name) for name in COLLECTIONS}
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    lines = "\n".join(ordinary(sources))
    attacks = "\n".join(attacked(sources))
    text = f"""# Documents that look like attacks

{made_by("attacks/flags.py --data ../shared/data", seeds=[SEED])} No model is asked.

## Ordinary passages

| collection | passages of queries | flagged | share | why |
|---|---:|---:|---:|---|
{lines}

## Attacks

| attack | kind | {" | ".join(COLLECTIONS)} |
|---|---|{"---:|" * len(COLLECTIONS)}
{attacks}
"""
    (folder / "flags.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
