"""The server's metrics for Prometheus."""

from collections.abc import Iterable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rerankllm.backends.batching import BatchBackend
from rerankllm.drivers.events import Event, Judged
from rerankllm.drivers.task import Observer
from rerankllm.judgements import Failure, Status, Unanswered
from rerankllm.reranker import Reranker

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""The upper bounds of the histogram's buckets."""
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
NONE = "none"
"""The alias of requests that did not get as far as an alias."""


class Metrics:
    """The metrics of one server, in a registry of their own. Methods may be called from any thread."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._observers: dict[str, Observer] = {}
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "rerankllm_requests", "Requests answered; 499 is a client that hung up.", ["route", "alias", "status"],
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "rerankllm_request_seconds", "From a request's first byte to its answer.", ["route", "alias"],
            registry=registry, buckets=SECONDS,
        )  # fmt: skip
        self._in_flight = Gauge("rerankllm_requests_in_flight", "Requests under way.", registry=registry)
        self._documents = Counter("rerankllm_documents", "Documents in requests.", ["alias"], registry=registry)
        self._calls = Counter("rerankllm_calls", "Calls of models, failed ones too.", ["alias"], registry=registry)
        self._repairs = Counter(
            "rerankllm_repairs", "Answers that had to be repaired to be used.", ["alias"], registry=registry
        )
        self._failures = Counter(
            "rerankllm_failures", "Calls without an answer that could be used.", ["alias"], registry=registry
        )
        self._upstream = Counter(
            "rerankllm_upstream_errors", "Calls that failed at the model or its host.", ["alias"], registry=registry
        )
        self._waiting = Gauge("rerankllm_calls_waiting", "Calls that wait for a model.", registry=registry)
        self._batches = Histogram(
            "rerankllm_batch_size", "Calls that an engine in this process computes together.", ["model"],
            registry=registry, buckets=SIZES,
        )  # fmt: skip
        self._tokens = Counter(
            "rerankllm_tokens", "Tokens, as models count them.", ["alias", "kind"], registry=registry
        )

    def answered(self, route: str, alias: str | None, status: int, seconds: float) -> None:
        """Counts a request."""
        self._requests.labels(route, alias or NONE, str(status)).inc()
        self._seconds.labels(route, alias or NONE).observe(seconds)

    def in_flight(self, count: int) -> None:
        """Sets how many requests are under way."""
        self._in_flight.set(count)

    def documents(self, alias: str, count: int) -> None:
        """Counts documents."""
        self._documents.labels(alias).inc(count)

    def observer(self, alias: str) -> Observer:
        """An observer that counts the calls of an alias."""
        if alias not in self._observers:
            self._observers[alias] = self._made(alias)
        return self._observers[alias]

    def _made(self, alias: str) -> Observer:
        counters = (self._calls, self._repairs, self._failures, self._upstream)
        calls, repairs, failures, upstream = (counter.labels(alias) for counter in counters)
        prompt, completion = (self._tokens.labels(alias, kind) for kind in ("prompt", "completion"))

        def observe(event: Event) -> None:
            if isinstance(event, Judged):
                calls.inc()
                prompt.inc(event.usage.prompt_tokens)
                completion.inc(event.usage.completion_tokens)
                if event.report.status is Status.REPAIRED:
                    repairs.inc()
                elif event.report.status is Status.FAILED:
                    failures.inc()
                if isinstance(event.answer, Unanswered) and event.answer.failure is Failure.CALL:
                    upstream.inc()

        return observe

    def watch(self, rerankers: Iterable[Reranker]) -> None:
        """Counts what waits for the models of these, and the sizes of their batches."""
        sessions = [reranker.session for reranker in rerankers]
        drivers = {id(session.driver): session.driver for session in sessions}
        self._waiting.set_function(lambda: sum(driver.waiting for driver in drivers.values()))
        for backend in {id(each): each for session in sessions for each in session.panel.backends}.values():
            if isinstance(backend, BatchBackend):
                backend.on_batch = self._batches.labels(backend.model).observe

    def text(self) -> bytes:
        """All metrics in Prometheus' format."""
        return generate_latest(self._registry)
