"""A teacher with a planted rule: documents with more of the words `flea` are better."""

import json
import random

import pytest

WORDS = ["dog", "host", "live", "week", "month", "jump", "bark", "blood", "egg", "house"]


@pytest.fixture
def planted(tmp_path):
    """Twelve queries with eight documents each, whose qrels and teacher follow the rule; gives the configuration."""
    chance = random.Random(5)
    run, teacher, qrels, corpus, queries = [], [], [], [], []
    for q in range(12):
        queries.append(f"q{q}\thow do {WORDS[q % 10]} {q} live")
        counts = chance.sample(range(8), 8)
        for place, count in enumerate(counts):
            words = ["flea"] * count + chance.choices(WORDS, k=8 - count)
            chance.shuffle(words)
            corpus.append({"_id": f"q{q}d{place}", "title": "", "text": " ".join(words)})
            run.append(f"q{q} Q0 q{q}d{place} {place + 1} {10 - place} first")
            qrels.append(f"q{q} 0 q{q}d{place} {count}")
        best = sorted(range(8), key=lambda place: -counts[place])
        teacher += [f"q{q} Q0 q{q}d{place} {rank} {10 - rank} teacher" for rank, place in enumerate(best, 1)]
    files = {"run.txt": run, "teacher.txt": teacher, "qrels.txt": qrels, "queries.tsv": queries}
    files["corpus.jsonl"] = [json.dumps(each) for each in corpus]
    for name, lines in files.items():
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    data = {"run": "run.txt", "queries": "queries.tsv", "corpus": "corpus.jsonl", "qrels": "qrels.txt"}
    return {
        "data": {key: str(tmp_path / name) for key, name in data.items()},
        "teacher": {"run": str(tmp_path / "teacher.txt"), "cost_usd": 0.6},
        "split": {"validation": 0.2, "test": 0.25},
        "training": {"epochs": 2, "learning_rate": 0.003, "batch": 2, "patience": 6, "device": "cpu", "threads": 1},
        "lists": {"size": 6, "per_query": 4},
    }
