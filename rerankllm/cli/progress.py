"""Progress on stderr: queries done, calls, tokens a second, time left."""

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from rerankllm.data import Usage
from rerankllm.drivers.events import Event, Finished, Judged


class ProgressBar:
    """Shows a driver's events. Shows nothing when quiet or when stderr is no terminal.

    Args:
        queries: How many there will be.
        calls: Calls expected at most, from the plan; progress within long queries is measured by them.
        quiet: Show nothing.
    """

    def __init__(self, queries: int, calls: int, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.fields[queries]}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[calls]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._lock = threading.Lock()
        self._queries, self._done, self._calls = queries, 0, 0
        self._usage = Usage()
        self._started = time.monotonic()
        self._task = self._progress.add_task("", total=max(1, calls), queries="", calls="")

    def __call__(self, event: Event) -> None:
        """Takes one event; called on the driver's thread."""
        with self._lock:
            if isinstance(event, Judged):
                self._calls += 1
                self._usage += event.usage
            elif isinstance(event, Finished):
                self._done += 1
            seconds = max(1e-9, time.monotonic() - self._started)
            rate = (self._usage.prompt_tokens + self._usage.completion_tokens) / seconds
            # A plan's upper bound may not be reached: finished queries count in full.
            share = self._done / max(1, self._queries) * (self._progress.tasks[self._task].total or 1)
            self._progress.update(
                self._task,
                completed=max(self._calls, share),
                queries=f"{self._done}/{self._queries} queries",
                calls=f"{self._calls} calls, {rate:.0f} tokens/s",
            )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
