"""`counting:`: an engine that reads its answers off the texts, and remembers every batch it was given.

A document's worth is the last number in it, 0 without one. What it is asked about a query that says `cannot` fails, and
a query that says `broken` breaks the whole engine.
"""

import re
import threading
import time
from collections.abc import Sequence

from waiting import GUARD

from rerankllm.backends.batching import BatchBackend
from rerankllm.calls import CallFailed, Capabilities, Reply, Tokenizer, Want
from rerankllm.data import Document, Usage
from rerankllm.errors import CapabilityError
from rerankllm.judgements import Judgement, ParseReport, Permute, Score, Status, WeakOrder
from rerankllm.registry import BACKENDS

USAGE = Usage(7, 1)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Counting(BatchBackend[Judgement]):
    """The engine.

    Args:
        name: Anything.
        delay: Seconds that a batch takes.

    Attributes:
        batches: The query texts of each batch, in order.
        gate: While it is not set, batches wait before they are answered.
    """

    default_strategy = "pointwise"

    def __init__(self, *, name: str, delay: float = 0.0) -> None:
        super().__init__()
        self.model = f"counting:{name}"
        self.capabilities = Capabilities(answers=frozenset({Score, Permute}))
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self._delay = delay

    @property
    def revision(self) -> str | None:
        return None

    @property
    def tokenizer(self) -> Tokenizer:
        raise CapabilityError(f"{self.model} is shown no prompts")

    @property
    def calls(self) -> int:
        """Judgements asked of it."""
        return sum(map(len, self.batches))

    def run(self, works: Sequence[Judgement]) -> list[Reply | CallFailed]:
        self.batches.append([work.query.text for work in works])
        if any("broken" in work.query.text for work in works):
            raise RuntimeError("the engine is broken")
        time.sleep(self._delay)
        self.gate.wait(GUARD)
        return [self._answer(work) for work in works]

    def most_tokens(self, want: Want) -> int:
        del want
        return 1

    def _answer(self, work: Judgement) -> Reply | CallFailed:
        if "cannot" in work.query.text:
            return CallFailed("scripted failure")
        if isinstance(work, Score):
            return Reply(worth(work.doc), usage=USAGE)
        order = sorted(work.docs, key=worth, reverse=True)
        report = ParseReport(Status.REPAIRED, {"missing": 1}) if "repair" in work.query.text else ParseReport()
        return Reply(WeakOrder(tuple((doc.doc_id,) for doc in order)), report, usage=USAGE)


def worth(doc: Document) -> float:
    """The last number in a document."""
    found = NUMBER.findall(doc.text)
    return float(found[-1]) if found else 0.0


BACKENDS.register("counting", Counting)
