"""Kills a run at random moments, resumes it, and looks for what was lost or asked twice.

```
python eval/journal/run.py                                  # 43 queries, 50 kills, a scripted server
python eval/journal/run.py --model llamacpp:smollm2 --kills 5   # the shipped sample with a real engine
```

The first asks 387 windows of a server that answers by a rule, so the output of an unbroken run is known to the byte;
after each kill -9 the journal is read, the run resumed, and the server's own list of requests compared with what the
journal held. The second uses an engine in the process, whose batching moves log-probabilities in the last digits: it
counts how many answers differ from the unbroken run's, and by how much. Writes `eval/journal/results/NAME.md`.
"""

import argparse
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rerankllm import __version__
from rerankllm.formats.trec import read_run
from rerankllm.journal.read import entries
from rerankllm.journal.store import Journal
from rerankllm.sample import path as sample_path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from scripted_server import Action, Answer, Delay, ScriptedServer

RESULTS = Path(__file__).parent / "results"
QUERIES, DOCUMENTS, LATENCY = 43, 100, 0.05
HEADER = """\
| kill | after s | journal held | asked on resume | held and asked again | output identical |
|---|---|---|---|---|---|"""


def by_rule(body: dict[str, object], _: int) -> Action:
    """Orders passages by a number in their text, after a little while."""
    prompt = json.dumps(body["messages"])
    keys = [int(key) for key in re.findall(r"\[\d+\] passage (\d+)", prompt)]
    order = sorted(range(len(keys)), key=lambda i: keys[i] * 7919 % 104729)
    return Delay(LATENCY, Answer(" > ".join(f"[{i + 1}]" for i in order)))


def collection(folder: Path) -> list[str]:
    """Writes 43 queries with 100 passages each; returns the options that name them."""
    ids = [[f"d{q * DOCUMENTS + i}" for i in range(DOCUMENTS)] for q in range(QUERIES)]
    run = (f"q{q} Q0 {doc} {i + 1} {DOCUMENTS - i} first\n" for q, docs in enumerate(ids) for i, doc in enumerate(docs))
    (folder / "run").write_text("".join(run))
    (folder / "queries").write_text("".join(f"q{q}\tquestion number {q}\n" for q in range(QUERIES)))
    rows = ({"_id": doc, "title": "", "text": f"passage {doc[1:]} of some words"} for docs in ids for doc in docs)
    (folder / "corpus").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return [f"--{name}={folder / name}" for name in ("run", "queries", "corpus")]


def start(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """The command line, in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "rerankllm", *command], stderr=subprocess.DEVNULL)


def finish(command: Sequence[str]) -> float:
    """Runs it to the end; returns the seconds it took."""
    started = time.perf_counter()
    if (status := start(command).wait()) != 0:
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    return time.perf_counter() - started


def killed(command: Sequence[str], seconds: float) -> None:
    """Runs it for so long and kills it."""
    process = start(command)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def held(path: Path) -> list[str]:
    """The prompts a journal holds; none where the kill came before there was one."""
    if not path.exists():
        return []
    journal = Journal(path)
    prompts = [entry.prompt.partition("\n")[2] for entry in entries(journal)]
    journal.close()
    return prompts


def scripted(kills: int, seed: int) -> list[str]:
    """Table of kills against a scripted server."""
    moments, rows = random.Random(seed), []
    with tempfile.TemporaryDirectory() as name, ScriptedServer(by_rule) as server:
        folder = Path(name)
        options = ["rerank", *collection(folder), "--model", "openai:scripted", "--base-url", server.url, "--strategy",
                   "sliding(window=20, stride=10)", "--quiet"]  # fmt: skip
        whole = folder / "whole"
        seconds, calls = finish([*options, "--output", str(whole)]), server.calls
        print(f"unbroken: {calls} calls, {seconds:.1f} s")
        for kill in range(1, kills + 1):
            output, journal = folder / f"cut{kill}", folder / f"cut{kill}.journal"
            command = [*options, "--output", str(output)]
            moment = moments.uniform(0, seconds)
            killed(command, moment)
            kept = held(journal)
            while server.in_flight:
                time.sleep(0.01)
            before = server.calls
            finish(["resume", str(journal), "--quiet"] if kept else command)
            asked = [str(body["messages"][-1]["content"]) for body in server.bodies[before:]]
            again, same = len(set(kept) & set(asked)), output.read_bytes() == whole.read_bytes()
            rows.append(f"| {kill} | {moment:.2f} | {len(kept)} | {len(asked)} | {again} | {'yes' if same else 'NO'} |")
            print(rows[-1], flush=True)
            if len(kept) + len(asked) != calls:
                raise SystemExit(f"{len(kept)} held and {len(asked)} asked make no {calls}")
    repeated = sum(int(row.split("|")[5]) for row in rows)
    identical = sum(row.endswith("| yes |") for row in rows)
    summary = (
        f"Unbroken run: {calls} calls, {seconds:.1f} s. {kills} kills: {repeated} calls repeated that the journal "
        f"held; output identical to the byte in {identical} of {kills}."
    )
    return [summary, "", HEADER, *rows]


def engine(model: str, kills: int, seed: int) -> list[str]:
    """Table of kills of a run whose engine computes in the process."""
    moments = random.Random(seed)
    rows = [
        "| kill | after s | journal held | answers that differ | largest difference | places that differ |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = [f"--{kind}={sample_path(file)}" for kind, file in
                  (("run", "run.txt"), ("queries", "queries.tsv"), ("corpus", "corpus.jsonl"))]  # fmt: skip
        options = ["rerank", *source, "--model", model, "--quiet"]

        def command(stem: str) -> list[str]:
            return [*options, "--output", str(folder / stem), "--journal", str(folder / f"{stem}.journal")]

        seconds = finish(command("whole"))
        whole, order = answers(folder / "whole.journal"), read_run(folder / "whole")
        places = sum(map(len, order.values()))
        for kill in range(1, kills + 1):
            moment = moments.uniform(seconds / 4, seconds)
            killed(command(f"cut{kill}"), moment)
            kept = len(held(folder / f"cut{kill}.journal"))
            finish(["resume", str(folder / f"cut{kill}.journal"), "--quiet"] if kept else command(f"cut{kill}"))
            resumed, new = answers(folder / f"cut{kill}.journal"), read_run(folder / f"cut{kill}")
            differences = [
                max(abs(a - b) for a, b in zip(whole[place], resumed[place], strict=True)) for place in whole
            ]
            moved = sum(a[0] != b[0] for query in order for a, b in zip(order[query], new[query], strict=True))
            rows.append(f"| {kill} | {moment:.1f} | {kept} | {sum(d > 0 for d in differences)} of {len(whole)} | "
                        f"{max(differences):.2g} | {moved} of {places} |")  # fmt: skip
            print(rows[-1], flush=True)
    return [f"`{model}` on the shipped sample; unbroken run {seconds:.1f} s.", "", *rows]


def answers(path: Path) -> dict[tuple[str, int, int], list[float]]:
    """Log-probabilities by place."""
    journal = Journal(path)
    found = {(e.place.key, e.place.step, e.place.item): e.outcome["logprobs"] for e in entries(journal)}
    journal.close()
    return found


def main() -> None:
    """Runs what was asked and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="an engine in the process, instead of the scripted server")
    options = parser.parse_args()
    table = (
        scripted(options.kills, options.seed)
        if options.model is None
        else engine(options.model, options.kills, options.seed)
    )
    name = "kill-9" if options.model is None else f"kill-9-{options.model.partition(':')[0]}"
    text = "\n".join(table)
    RESULTS.mkdir(exist_ok=True)
    heading = (
        "# Killed at random moments, and resumed\n\n"
        f"Written by `python eval/journal/run.py`; seed {options.seed}; rerankllm {__version__}, "
        f"Python {platform.python_version()}, {len(os.sched_getaffinity(0))} cores.\n"
    )
    (RESULTS / f"{name}.md").write_text(f"{heading}\n{text}\n", encoding="utf-8")
    print(table[0])


if __name__ == "__main__":
    main()
