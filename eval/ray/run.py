"""Runs on Ray: how much faster two workers are, how much memory they take, and what is lost when one is killed.

```
python eval/ray/run.py                      # all of it
python eval/ray/run.py speed kills          # some
```

`speed` and `kills` ask a host on this machine that answers by a rule after 200 ms, so that outputs are known to the
byte and every request is seen. `nodes` starts two Ray nodes here, each with a folder of its own for journals. Parts
that are not run keep what the file says of them. Writes `eval/ray/results.md`.
"""

import argparse
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by
from trial import SLIDING, asked, by_rule, finish, held, kill, qrels, requests, start, until, watched, workers

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from scripted_server import ScriptedServer

RESULTS = Path(__file__).parent / "results.md"
LATENCY, SLOTS, WINDOWS = 0.2, 8, 9
"""Seconds a call; calls at a time of each worker; calls a query of a hundred passages."""


SPEED_HEADER = (
    "| what | workers | calls at a time | seconds, first call to last | start to end | bytes of one process |",
    "|---|---:|---:|---:|---:|---|",
)


def speed(folder: Path) -> list[str]:
    """One worker and two, against a host that takes its time; then the embedded model."""
    queries, lines = 240, [*SPEED_HEADER]
    file, first = requests(folder / "speed.jsonl", queries, 100), []
    times: dict[int, list[float]] = {1: [], 2: []}
    with ScriptedServer(by_rule(LATENCY)) as server:
        common = ("rerank", "--requests", file, "--model", "openai:scripted", "--base-url", server.url, *SLIDING)
        finish(start(*common, "--output", folder / "whole", "--concurrency", 4 * SLOTS))
        script = server.script
        server.script = lambda body, number: first.append(time.monotonic()) or script(body, number)
        for turn in range(2):
            for count in (1, 2):
                first.clear()
                began = time.monotonic()
                output = folder / f"speed{count}{turn}"
                finish(start(*common, "--output", output, "--engine", "ray", "--workers", count, "--concurrency",
                             count * SLOTS))  # fmt: skip
                whole, inside = time.monotonic() - began, max(first) + LATENCY - min(first)
                times[count].append(inside)
                same = output.read_bytes() == (folder / "whole").read_bytes()
                lines.append(f"| host at 200 ms | {count} | {count * SLOTS} | {inside:.1f} | {whole:.1f} | "
                             f"{'yes' if same else 'NO'} |")  # fmt: skip
                print(lines[-1], flush=True)
    ratio = statistics.mean(times[1]) / statistics.mean(times[2])
    least = queries * WINDOWS * LATENCY / SLOTS
    said = (
        f"{queries} queries of 100 passages, {queries * WINDOWS} calls: {ratio:.2f} times as fast with 2 workers of "
        f"{SLOTS} calls at a time as with 1 of {SLOTS} (of first to last call; no less than {least:.0f} s and "
        f"{least / 2:.0f} s are possible). One process with 16 would be as fast: workers are for what one process "
        "cannot hold."
    )
    return [said, "", *lines, *embedded(folder)]


def embedded(folder: Path) -> list[str]:
    """The embedded model on the sample that ships, a thread for each worker; its shorter numbers hang on batches."""
    lines = []
    for kind in ("bf16", "f32"):
        model = ("rerank", "--sample", "--model", f"llamacpp:smollm2?threads=1&type={kind}")
        finish(start(*model, "--output", folder / "sample"))
        for count in (1, 2):
            began, output = time.monotonic(), folder / f"sample{count}"
            finish(start(*model, "--output", output, "--engine", "ray", "--workers", count, "--no-journal"))
            seconds = time.monotonic() - began
            ours, theirs = output.read_text().splitlines(), (folder / "sample").read_text().splitlines()
            moved = sum(a != b for a, b in zip(ours, theirs, strict=True))
            same = "yes" if not moved else f"{moved} of {len(ours)} lines differ"
            lines.append(f"| embedded model in {kind}, 1 thread a worker | {count} | – | – | {seconds:.1f} | {same} |")
            print(lines[-1], flush=True)
    return lines


def memory(folder: Path) -> list[str]:
    """The command's own memory, for more and more queries that an oracle answers."""
    documents, lines = 20, [
        "| queries | input, MB | engine | peak, MiB, without what is shared | with it | seconds | same bytes |",
        "|---:|---:|---|---:|---:|---:|---|",
    ]  # fmt: skip
    for count in (1_000, 10_000, 50_000):
        file, grades = requests(folder / "many.jsonl", count, documents), qrels(folder / "many.qrels", count, documents)
        common = ("rerank", "--requests", file, "--model", f"oracle:{grades}", "--strategy", "sliding", "--no-journal")
        for engine in (("here",), ("ray", "--workers", 1)):
            began = time.monotonic()
            process = start(*common, "--output", folder / f"many-{engine[0]}", "--engine", *engine)
            with watched(process.pid) as peak:
                finish(process)
            same = (folder / f"many-{engine[0]}").read_bytes() == (folder / "many-here").read_bytes()
            size, seconds = file.stat().st_size / 1e6, time.monotonic() - began
            lines.append(f"| {count:,} | {size:.0f} | {engine[0]} | {peak['anon']:.0f} | {peak['rss']:.0f} | "
                         f"{seconds:.0f} | {'yes' if same else 'NO'} |")  # fmt: skip
            print(lines[-1], flush=True)
    return [f"`sliding` over {documents} passages a query, an oracle's answers, one worker.", "", *lines]


def kills(folder: Path) -> list[str]:
    """Kill -9 of a worker, which Ray starts again, and of the command, which is then resumed."""
    queries, moments = 64, random.Random(0)
    file = requests(folder / "kills.jsonl", queries, 100)
    lines = [
        "| killed | after calls | the journals held | calls in all | of those held, asked again | same bytes |",
        "|---|---:|---:|---:|---:|---|",
    ]
    with ScriptedServer(by_rule(LATENCY)) as server:
        common = ("rerank", "--requests", file, "--model", "openai:scripted", "--base-url", server.url, *SLIDING)
        finish(start(*common, "--output", folder / "unbroken"))
        for turn in range(6):
            what = "a worker" if turn % 2 == 0 else "the command"
            output, before = folder / f"killed{turn}", server.calls
            process = start(*common, "--output", output, "--engine", "ray", "--workers", 2)
            moment = moments.randrange(20, int(queries * WINDOWS * 0.9))
            until(lambda at=before + moment: server.calls >= at)
            kill(moments.choice(sorted(workers(process))) if turn % 2 == 0 else process.pid)
            at_kill = held(folder / f"{output.name}.journal.parts")
            sent = server.calls
            if turn % 2 == 0:
                finish(process)
            else:
                process.communicate()
                finish(start("resume", f"{output}.journal"))
            again = len(at_kill & set(asked(server.bodies[sent:])))
            same = output.read_bytes() == (folder / "unbroken").read_bytes()
            lines.append(f"| {what} | {moment} | {len(at_kill)} | {server.calls - before} | {again} | "
                         f"{'yes' if same else 'NO'} |")  # fmt: skip
            print(lines[-1], flush=True)
    said = (
        f"{queries} queries, {queries * WINDOWS} calls of an unbroken run; 2 workers. What is asked more often than "
        "that was under way when the process died, and nobody has its answer."
    )
    return [said, "", *lines]


def nodes(folder: Path) -> list[str]:
    """Two Ray nodes on this machine, whose workers keep journals in folders of their own."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    queries = 40
    file = requests(folder / "nodes.jsonl", queries, 100)
    lines = [
        "| calls in the journal of node 1 | of node 2 | of all in the end | sent | same bytes |",
        "|---:|---:|---:|---:|---|",
    ]
    with ScriptedServer(by_rule(LATENCY)) as server:
        common = ("rerank", "--requests", file, "--model", "openai:scripted", "--base-url", server.url, *SLIDING)
        finish(start(*common, "--output", folder / "alone"))
        cluster = Cluster()
        try:
            disks = [folder / "disk1", folder / "disk2"]
            for disk in disks:
                disk.mkdir()
                cluster.add_node(num_cpus=1, include_dashboard=False, env_vars={"SCRATCH": str(disk)},
                                 object_store_memory=200 << 20)  # fmt: skip
            before, output = server.calls, folder / "both"
            process = start(*common, "--output", output, "--engine", "ray", "--workers", 2, "--ray-address",
                            cluster.address, "--worker-journals", "$SCRATCH/journals")  # fmt: skip
            until(lambda: server.calls >= before + queries * WINDOWS * 0.9)
            each = [len(held(disk)) for disk in disks]
            finish(process)
        finally:
            cluster.shutdown()
        same = output.read_bytes() == (folder / "alone").read_bytes()
        total = len(held(folder / "both.journal"))
        lines.append(f"| {each[0]} | {each[1]} | {total} | {server.calls - before} | {'yes' if same else 'NO'} |")
        print(lines[-1], flush=True)
    said = (
        f"{queries} queries, {queries * WINDOWS} calls; one worker on each of two nodes, whose folders the other does "
        "not see. The first two are counted when nine calls of ten were sent, the third after both were merged."
    )
    return [said, "", *lines]


PARTS: dict[str, tuple[str, Callable[[Path], list[str]]]] = {
    "speed": ("Two workers and one", speed),
    "memory": ("Memory of the command", memory),
    "kills": ("Killed", kills),
    "nodes": ("Two nodes", nodes),
}


def main() -> None:
    """Runs what was asked for and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(PARTS))
    wanted = parser.parse_args().parts
    for name in wanted:
        heading, part = PARTS[name]
        with tempfile.TemporaryDirectory() as folder:
            lines = part(Path(folder))
        said = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
        found = dict(re.findall(r"^## (.*?)\n\n(.*?)(?=\n## |\Z)", said, re.DOTALL | re.MULTILINE))
        found[heading] = "\n".join(lines)
        sections = [f"## {title}\n\n{found[title].strip()}\n" for title, _ in PARTS.values() if title in found]
        made = made_by("ray/run.py", "ray", seeds=[0])
        RESULTS.write_text("\n".join([f"# On Ray\n\n{made}\n", *sections]), encoding="utf-8")


if __name__ == "__main__":
    main()
