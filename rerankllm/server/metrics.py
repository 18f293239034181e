"""The server's metrics for Prometheus."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rerankllm.drivers.events import Event, Judged
from rerankllm.drivers.task import Observer
from rerankllm.judgements import Status

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""The upper bounds of the histogram's buckets."""
NONE = "none"
"""The alias of requests that did not get as far as an alias."""


class Metrics:
    """The metrics of one server, in a registry of their own. Methods may be called from any thread."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
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
        calls, repairs, failures = (c.labels(alias) for c in (self._calls, self._repairs, self._failures))
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

        return observe

    def text(self) -> bytes:
        """All metrics in Prometheus' format."""
        return generate_latest(self._registry)
