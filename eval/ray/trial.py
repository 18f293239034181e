"""What the trials on Ray share: queries, hosts that answer by a rule, and runs in processes of their own."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from scripted_server import Action, Answer, Delay

SLIDING = ("--strategy", "sliding(window=20, stride=10)")


def by_rule(seconds: float) -> Callable[[Mapping[str, object], int], Action]:
    """A script that orders passages by a number in their text, after so many seconds."""

    def answer(body: Mapping[str, object], _: int) -> Action:
        keys = [int(key) for key in re.findall(r"\[\d+\] passage (\d+)", json.dumps(body["messages"]))]
        order = sorted(range(len(keys)), key=lambda i: keys[i] * 7919 % 104729)
        return Delay(seconds, Answer(" > ".join(f"[{i + 1}]" for i in order)))

    return answer


def requests(path: Path, queries: int, documents: int) -> Path:
    """Writes so many queries, each with passages of its own."""
    with path.open("w", encoding="utf-8") as file:
        for q in range(queries):
            found = [
                {"docid": f"d{n}", "score": -float(n), "doc": {"contents": f"passage {n} " + "of some words " * 20}}
                for n in range(q * documents, (q + 1) * documents)
            ]
            file.write(json.dumps({"query": {"qid": f"q{q}", "text": f"question {q}"}, "candidates": found}) + "\n")
    return path


def qrels(path: Path, queries: int, documents: int) -> Path:
    """Writes grades for them."""
    with path.open("w", encoding="utf-8") as file:
        for q in range(queries):
            file.writelines(f"q{q} 0 d{q * documents + i} {i % 4}\n" for i in range(documents))
    return path


def start(*options: object, **env: str) -> "subprocess.Popen[str]":
    """`rerankllm …` in a process of its own."""
    command = [sys.executable, "-m", "rerankllm", *map(str, options), "--quiet"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})


def finish(process: "subprocess.Popen[str]") -> str:
    """Waits for it; returns what it said."""
    said = process.communicate()[1]
    if process.returncode:
        raise SystemExit(f"{process.args} ended with {process.returncode}: {said}")
    return said


def workers(process: "subprocess.Popen[str]") -> list[int]:
    """The processes of the workers that a command has started."""
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                names[int(entry.name)] = (entry / "cmdline").read_text().split("\0")[0]
            except OSError:
                continue
    found = []
    for pid, name in names.items():
        above = pid
        while above in parents and above != process.pid:
            above = parents[above]
        if above == process.pid and name.startswith("ray::MapWorker"):
            found.append(pid)
    return found


def kill(pid: int) -> None:
    """Kill -9."""
    os.kill(pid, signal.SIGKILL)


def held(place: Path) -> set[str]:
    """The prompts in a journal, or in those of a folder, as they are while others write."""
    found = set()
    for path in [place] if place.is_file() else place.glob("**/*.journal"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as db:
            rows = db.execute("SELECT prompt FROM calls").fetchall()
        db.close()
        found |= {zlib.decompress(prompt).decode().partition("\n")[2] for (prompt,) in rows}
    return found


def asked(bodies: Sequence[Mapping[str, object]]) -> list[str]:
    """The prompts that a host was sent."""
    return [str(body["messages"][-1]["content"]) for body in bodies]  # type: ignore[index]


@contextmanager
def watched(pid: int) -> Iterator[dict[str, float]]:
    """Meanwhile the peak of a process's own memory, in MiB: `anon` without what it shares, `rss` with it."""
    peak = {"anon": 0.0, "rss": 0.0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                return
            for name, field in (("anon", "RssAnon"), ("rss", "VmRSS")):
                if match := re.search(rf"{field}:\s+(\d+)", status):
                    peak[name] = max(peak[name], int(match[1]) / 1024)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def until(condition: Callable[[], object], seconds: float = 300) -> None:
    """Waits for it."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("waited in vain")
        time.sleep(0.05)
