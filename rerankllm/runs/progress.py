"""Progress on stderr: queries done, calls, tokens a second, time left."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from rerankllm.data import Usage
from rerankllm.drivers.events import Event, Finished, Judged
from rerankllm.judgements import Unanswered


class ProgressBar:
    """Observes a driver, and shows what it sees while `showing`.

    Args:
        quiet: Show nothing; nor is anything shown when stderr is no terminal.
    """

    def __init__(self, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.fields[queries]}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[calls]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,  # results are printed there, see `aside`
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=1, queries="", calls="")
        self._lock = threading.Lock()
        self._queries, self._done, self._calls, self._total = 1, 0, 0, 1
        self._usage = Usage()
        self._started = time.monotonic()
        self._announcement: str | None = None

    def announce(self, line: str) -> None:
        """Tells a line once the first answer is in: where that fails, there is something else to say."""
        self._announcement = line

    @contextmanager
    def showing(self, queries: int, calls: int) -> Iterator[None]:
        """Shows the bar meanwhile.

        Args:
            queries: How many there will be.
            calls: Calls expected at most, from the plan; progress inside long queries is measured by them.
        """
        self._queries, self._total = max(1, queries), max(1, calls)
        self._done, self._calls, self._usage = 0, 0, Usage()
        self._started = time.monotonic()
        with self._progress:
            yield

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Takes the bar off the screen while something else is printed."""
        live = self._progress.live.is_started
        self._progress.stop()
        try:
            yield
        finally:
            if live:
                self._progress.start()

    def __call__(self, event: Event) -> None:
        """Takes one event; called on the driver's thread."""
        with self._lock:
            if isinstance(event, Judged):
                if self._announcement is not None and not isinstance(event.answer, Unanswered):
                    self._progress.console.print(f"rerankllm: {self._announcement}", highlight=False, soft_wrap=True)
                    self._announcement = None
                self._calls += 1
                self._usage += event.usage
            elif isinstance(event, Finished):
                self._done += 1
            if self._progress.disable:
                return
            seconds = max(1e-9, time.monotonic() - self._started)
            rate = (self._usage.prompt_tokens + self._usage.completion_tokens) / seconds
            # A plan's upper bound need not be reached: finished queries count in full.
            self._progress.update(
                self._task,
                total=self._total,
                completed=max(self._calls, self._done / self._queries * self._total),
                queries=f"{self._done}/{self._queries} queries",
                calls=f"{self._calls} calls, {rate:.0f} tokens/s",
            )
