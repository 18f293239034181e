"""Makes every picture of README and docs: screenshots of the page of `serve` and of a report, and the figures of eval/.

    python eval/pictures.py                 # all of them
    python eval/pictures.py --only figures  # those drawn from the tables in eval/frontier/results; or page, or report

The screenshots, docs/pictures/page.png and report.png, show the sample that ships. The page ranks with MODEL (the
default: what `rerankllm serve` takes), the report compares simulated judges. They need Chromium; all need the extra
`dev`. Figures are PNG at 300 dots an inch, SVG and PDF, in the style of rerankllm/evaluation/figures.py.
"""

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
SAMPLE = ROOT / "rerankllm" / "sample"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
RERANKLLM = [sys.executable, "-m", "rerankllm"]
WORLDS = {"sliding": ("sliding(window=10, stride=5)", "mild"), "prp": ("prp(sort=heap)", "harsh")}
PATIENCE = 300
PARTS = ("page", "report", "figures")
FIGURES = (("eval/readme.py", "--draw"), ("eval/frontier/plots.py",))


def main() -> None:
    """Does what was asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="who ranks on the page")
    parser.add_argument("--query", default="q1", help="which query of the sample")
    parser.add_argument("--only", action="append", choices=PARTS, help="repeatable; default: all")
    options = parser.parse_args()
    wanted = options.only or PARTS
    if "figures" in wanted:
        for command in FIGURES:
            subprocess.run([sys.executable, *command], check=True, cwd=ROOT)
    if {"page", "report"} & set(wanted):
        screenshots(options, wanted)


def screenshots(options: argparse.Namespace, wanted: Sequence[str]) -> None:
    """Opens the pages in a browser without a window."""
    PICTURES.mkdir(exist_ok=True)
    os.environ["PYTHONPATH"] = str(ROOT)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        path = next(filter(None, map(shutil.which, BROWSERS)))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1200, "height": 820}, color_scheme="light")
        tab.set_default_timeout(1000 * PATIENCE)
        if "page" in wanted:
            page(tab, options.model, options.query)
        if "report" in wanted:
            report(tab, Path(folder))
        browser.close()


def page(tab: Any, model: str | None, query: str) -> None:
    """The server's page with a ranking on it."""
    with serving(["--model", model] if model else []) as address:
        tab.goto(address)
        tab.wait_for_selector("#model option", state="attached")
        tab.select_option("#sample", query)
        tab.click("#run")
        tab.wait_for_selector("#run:not([disabled])")
        tab.wait_for_selector("#moved *")
        tab.evaluate("document.querySelector('#passages').rows = 4")
        tab.set_viewport_size({"width": 1200, "height": 1150})
        tab.screenshot(path=PICTURES / "page.png")


def report(tab: Any, folder: Path) -> None:
    """The head of a report on two simulated judges."""
    source = ["--run", SAMPLE / "run.txt", "--queries", SAMPLE / "queries.tsv", "--corpus", SAMPLE / "corpus.jsonl"]
    runs = []
    for name, (strategy, world) in WORLDS.items():
        output = folder / f"{name}.txt"
        model = f"simulated:{SAMPLE / 'qrels.txt'}?world={world}"
        run("rerank", *source, "--strategy", strategy, "--model", model, "--output", output, "--journal",
            f"{output}.journal")  # fmt: skip
        runs += ["--run", f"{name}={output}"]
    html = folder / "report.html"
    run("report", "--qrels", SAMPLE / "qrels.txt", "--first-stage", SAMPLE / "run.txt", *runs, *source[2:], "-o", html)
    tab.set_viewport_size({"width": 1200, "height": 820})
    tab.goto(html.as_uri())
    tab.wait_for_selector("svg")
    tab.screenshot(path=PICTURES / "report.png")


def run(*arguments: object) -> None:
    """A command of rerankllm."""
    subprocess.run([*RERANKLLM, *map(str, arguments)], check=True, capture_output=True)


@contextlib.contextmanager
def serving(options: list[str]) -> Iterator[str]:
    """A server for as long as it takes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen([*RERANKLLM, "serve", "--port", str(port), *options]) as server:
        try:
            for _ in range(PATIENCE):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health"):
                    break
                time.sleep(1)
            yield address
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
