"""How large a report of 700 queries × 100 documents × 8 systems is, and how soon it opens in Chromium.

    python eval/report/scale.py                      # writes eval/report/results.md; a quarter of an hour, two cores
    python eval/report/scale.py --keep FOLDER        # leaves runs, journals and the page there, and uses them again

The queries are TREC DL 2019's 43 and their candidates of BM25, again and again under other ids: each query is packed by
itself, so a text that several have takes its room several times, as if all were different. Simulated judges rank them,
and every call is in a journal. Opening is from the start of the navigation until a query is drawn, in a browser that
was just started, on a page that lies on the disk. An action is from a click until the next frame is drawn. Needs
../shared/data, Chromium and the extra `dev`.
"""

import argparse
import contextlib
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

import rerankllm
from rerankllm.runs.job import Job, perform
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import read_source

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

HERE = Path(__file__).parent
DATA = HERE.parents[2] / "shared" / "data" / "dl19-bm25"
QUERIES, DOCUMENTS = 700, 100
SYSTEMS = {
    "sliding, good": ("sliding(window=20, stride=10)", "mild"),
    "sliding, poor": ("sliding(window=20, stride=10)", "harsh"),
    "sliding, fitted": ("sliding(window=20, stride=10)", "fitted"),
    "wide windows": ("sliding(window=50, stride=25)", "fitted"),
    "jointrank": ("jointrank(block=20, replicas=2)", "fitted"),
    "tdpart": ("tdpart(window=20, top_k=10)", "fitted"),
    "group": ("group(size=20, regroupings=3)", "fitted"),
    "full": ("full", "fitted"),
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ASKED = (15.0, 2.0)
"""MB and seconds."""
WATCH = """
window.opened = null;
new MutationObserver(() => {
  if (!window.opened && document.querySelector(".query-head"))
    requestAnimationFrame(() => requestAnimationFrame(() => { window.opened = window.opened || performance.now(); }));
}).observe(document, { childList: true, subtree: true });
"""
TIMED = """async () => {
  const begun = performance.now(), find = document.getElementById("find");
  %s
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  return performance.now() - begun;
}"""
NEXT_QUERY = """
  const old = document.querySelector(".query-head");
  document.querySelector("[data-name=next]").click();
  while (document.contains(old)) await new Promise(requestAnimationFrame);"""
ACTIONS = {
    "the next query": NEXT_QUERY,
    "a column sorted": "document.querySelectorAll('#summary button.sort')[1].click();",
    "the table of all queries opened": "document.querySelector('#deltas details').open = true;",
    "another measure": """
  const select = document.querySelector("#tools select");
  select.selectedIndex = 1;
  select.dispatchEvent(new Event("change"));""",
    "a text looked for in all queries": """
  const field = document.getElementById("find-text");
  field.value = "mountain";
  field.dispatchEvent(new Event("input"));
  while (find.getAttribute("aria-busy") === "true") await new Promise(requestAnimationFrame);""",
}


@dataclass(frozen=True)
class Opened:
    """One opening: seconds until a query is drawn, and milliseconds of each action."""

    seconds: float
    actions: dict[str, float]


def copies(folder: Path) -> dict[str, Path]:
    """Writes the collection: queries and their documents again and again."""
    paths = {name: folder / name for name in ("queries.tsv", "corpus.jsonl", "qrels.txt", "run.txt")}
    if all(path.is_file() for path in paths.values()):
        return paths
    queries = [line.split("\t", 1) for line in (DATA / "queries.tsv").read_text(encoding="utf-8").splitlines()]
    corpus = [json.loads(line) for line in (DATA / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    texts = {each["_id"]: each for each in corpus}
    run = [line.split() for line in (DATA / "run.txt").read_text().splitlines()]
    judged = [line.split() for line in (DATA / "qrels.txt").read_text().splitlines()]
    with contextlib.ExitStack() as files:
        out = {name: files.enter_context(path.open("w", encoding="utf-8")) for name, path in paths.items()}
        for i in range(QUERIES):
            copy, (query_id, text) = i // len(queries), queries[i % len(queries)]
            out["queries.tsv"].write(f"{query_id}.{copy}\t{text}\n")
            mine = [row for row in run if row[0] == query_id][:DOCUMENTS]
            for _, _, doc_id, rank, score, tag in mine:
                out["run.txt"].write(f"{query_id}.{copy} Q0 {doc_id}.{i} {rank} {score} {tag}\n")
                record = {**texts[doc_id], "_id": f"{doc_id}.{i}"}
                out["corpus.jsonl"].write(json.dumps(record, ensure_ascii=False) + "\n")
            for row in judged:
                if row[0] == query_id:
                    out["qrels.txt"].write(f"{query_id}.{copy} 0 {row[2]}.{i} {row[3]}\n")
    return paths


def ranked(folder: Path, paths: dict[str, Path]) -> dict[str, Path]:
    """The runs with their journals."""
    found = {}
    for name, (strategy, world) in SYSTEMS.items():
        output = found[name] = folder / f"{name.replace(', ', '-').replace(' ', '-')}.txt"
        if not output.with_name(f"{output.name}.summary.json").is_file():
            source = read_source(
                sample=False, run=paths["run.txt"], queries=paths["queries.tsv"], corpus=paths["corpus.jsonl"],
                requests=None, qrels=None, skip_missing=False,
            )  # fmt: skip
            begun = time.perf_counter()
            model = f"simulated:{paths['qrels.txt']}?world={world}"
            with rerankllm.Reranker(strategy, model, journal=f"{output}.journal") as reranker:
                perform(reranker, Job(source, output=output), ProgressBar(quiet=True))
            print(f"{name}: {time.perf_counter() - begun:.0f} s", flush=True)
    return found


@contextlib.contextmanager
def fresh() -> Iterator[Page]:
    """A page of a browser that was just started."""
    path = next(filter(None, map(shutil.which, BROWSERS)))
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(300_000)
        yield page
        browser.close()


def opened(html: Path) -> Opened:
    """Opens the page once, and does what a reader does."""
    with fresh() as page:
        page.add_init_script(WATCH)
        page.goto(html.as_uri())
        page.wait_for_selector(".query-head")
        while (milliseconds := page.evaluate("window.opened")) is None:  # the page's policy allows no polling in it
            time.sleep(0.05)
        return Opened(milliseconds / 1000, {name: page.evaluate(TIMED % act) for name, act in ACTIONS.items()})


def written(html: Path, made: float, openings: Sequence[Opened], calls: int, left_out: Sequence[str]) -> str:
    """The results in Markdown."""
    size = html.stat().st_size / 1e6
    seconds = [each.seconds for each in openings]

    def row(name: str, values: Sequence[float], unit: str) -> str:
        digits = 2 if unit == "s" else 0
        shown = ", ".join(f"{value:.{digits}f}" for value in values)
        return f"| {name} | {statistics.median(values):.{digits}f} {unit} | {shown} |"

    rows = [row("opening", seconds, "s")]
    rows += [row(name, [each.actions[name] for each in openings], "ms") for name in ACTIONS]
    table = "\n".join(rows)
    said = "\n".join(f"> {line}" for line in left_out) or "> Nothing was left out."
    return f"""# A report of {QUERIES} queries × {DOCUMENTS} documents × {len(SYSTEMS)} systems

{made_by("report/scale.py", "numpy", seeds=range(1))} Judges are simulated; their journals hold {calls:,} calls.

**{size:.1f} MB** (asked: under {ASKED[0]:g}), opened in **{statistics.median(seconds):.2f} s** (asked: {ASKED[1]:g}),
made in {made:.0f} s. At its foot the page says:

{said}

| what | median | all |
|---|---:|---|
{table}
"""


def main() -> None:
    """Makes the page, opens it, writes what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="folder of runs and page; default: a temporary one")
    parser.add_argument("--times", type=int, default=5, help="how often it is opened")
    parser.add_argument("--to", type=Path, default=HERE / "results.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        paths = copies(folder)
        runs = ranked(folder, paths)
        begun = time.perf_counter()
        page = rerankllm.report(
            runs, qrels=paths["qrels.txt"], first_stage=paths["run.txt"], query_texts=paths["queries.tsv"],
            corpus=paths["corpus.jsonl"], measures=["nDCG@10", "RR(rel=2)@10"], output=folder / "report.html",
        )  # fmt: skip
        made = time.perf_counter() - begun
        told = page.to_dict()["main"]["parts"][0]["consistency"].values()
        calls = sum(sum(each["statuses"].values()) for each in told if each)
        openings = [opened(folder / "report.html") for _ in range(options.times)]
        text = written(folder / "report.html", made, openings, calls, page.content.left_out)
    options.to.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
