"""Batch jobs: requests go out as a file, answers come back as another, within a day and for half the price.

A job can be taken up again without anything kept here: its metadata carries a hash of its requests, and before one is
made the host is asked for one that carries the same. So a run that was killed goes on with the job it had paid for,
provided that it asks the same.
"""

import asyncio
import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from rerankllm.backends.openai.endpoint import Endpoint
from rerankllm.calls import CallFailed
from rerankllm.errors import CapabilityError, UnreachableError

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

log = logging.getLogger(__name__)

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
LOOK_BACK = 7 * 86400.0
"""Seconds since a job was made within which it is taken up again; hosts do not keep answers for ever."""
SLOWEST_POLL = 60.0
"""Seconds between looks at a job, at most, unless they start farther apart."""
LOST_AFTER = 10
"""Looks in a row that may fail, each with the SDK's retries, before the job is left to itself."""
GIVE_UP = 26 * 3600.0
"""Seconds after which a job is waited for no more; the host promises to end it within 24 hours."""
UPLOAD_SECONDS = 600.0
TAG = "rerankllm_requests"
OVER = {"completed", "failed", "expired", "cancelled"}
LOST = {"failed", "expired", "cancelling", "cancelled"}
OK = 200

Answer: TypeAlias = str | CallFailed
"""The body of a completion, or why there is none."""


class Jobs:
    """Runs batch jobs at one host.

    Args:
        client: The SDK's client.
        endpoint: Where it is.
        model: To name in messages.
        path: The route whose requests they are.
        poll: Seconds until the first look at a job; each later one takes half as long again, up to `SLOWEST_POLL`.
    """

    def __init__(self, client: "AsyncOpenAI", endpoint: Endpoint, *, model: str, path: str, poll: float) -> None:
        self._client = client
        self._endpoint = endpoint
        self._model = model
        self._path = path
        self._poll = poll

    async def answer(self, bodies: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """The answer to each body, in order.

        Raises:
            AuthError: The host refuses the key or the permission.
            CapabilityError: It has no batch API.
        """
        names, lines = [], {}
        came: Counter[str] = Counter()
        for body in bodies:
            digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:40]
            name = f"{digest}-{came[digest]}"
            came[digest] += 1
            names.append(name)
            lines[name] = json.dumps({"custom_id": name, "method": "POST", "url": f"/v1{self._path}", "body": body})
        parts = await asyncio.gather(*(self._job(dict(part)) for part in _parts(lines)))
        answers = {name: answer for part in parts for name, answer in part.items()}
        return [answers[name] for name in names]

    async def _job(self, lines: Mapping[str, str]) -> dict[str, Answer]:
        """One job from its making, or finding, to its answers."""
        import openai  # noqa: PLC0415

        try:
            digest = hashlib.sha256("\n".join([self._path, *sorted(lines)]).encode()).hexdigest()
            batch = await self._found(digest) or await self._made(lines, digest)
            batch = await self._over(batch)
            answers = await self._answers(batch)
        except openai.APIStatusError as error:
            failed = self._endpoint.refused(error, self._model)
            return dict.fromkeys(lines, CallFailed(failed.reason, failed.attempts))
        except openai.APIConnectionError as error:
            return dict.fromkeys(lines, self._cut_off(error))
        missing = CallFailed(_without_answer(batch))
        return {name: answers.get(name, missing) for name in lines}

    async def _found(self, digest: str) -> "Batch | None":
        """The job with the same requests, if one was made lately and is not lost."""
        import openai  # noqa: PLC0415

        oldest = time.time() - LOOK_BACK
        try:
            async for batch in self._client.batches.list(limit=100):  # the newest first
                if batch.created_at < oldest:
                    break
                if (batch.metadata or {}).get(TAG) == digest and batch.status not in LOST:
                    log.info("%s: batch %s has these requests: taken up again", self._model, batch.id)
                    return batch
        except openai.NotFoundError:
            raise CapabilityError(f"{self._endpoint.host} has no batch API; leave batch=true out") from None
        return None

    async def _made(self, lines: Mapping[str, str], digest: str) -> "Batch":
        content = "".join(f"{line}\n" for line in lines.values()).encode()
        file = await self._client.files.create(file=("requests.jsonl", content), purpose="batch")
        endpoint: Any = f"/v1{self._path}"
        batch = await self._client.batches.create(
            completion_window="24h", endpoint=endpoint, input_file_id=file.id, metadata={TAG: digest}
        )
        log.info("%s: batch %s made of %d requests", self._model, batch.id, len(lines))
        return batch

    async def _over(self, batch: "Batch") -> "Batch":
        """The job once the host is done with it, one way or another."""
        import openai  # noqa: PLC0415

        loop = asyncio.get_running_loop()
        wait, failures, give_up = self._poll, 0, loop.time() + GIVE_UP
        while batch.status not in OVER and loop.time() < give_up:
            await asyncio.sleep(wait)
            wait = max(self._poll, min(1.5 * wait, SLOWEST_POLL))
            try:
                batch = await self._client.batches.retrieve(batch.id)
                failures = 0
            except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError):
                failures += 1
                if failures == LOST_AFTER:
                    raise
        return batch

    async def _answers(self, batch: "Batch") -> dict[str, Answer]:
        """What the files of a job hold, those that are still there."""
        import openai  # noqa: PLC0415

        answers: dict[str, Answer] = {}
        for file_id in filter(None, (batch.error_file_id, batch.output_file_id)):
            try:
                content = await self._client.files.content(file_id)
            except openai.NotFoundError:
                log.warning("%s: file %s of batch %s is gone", self._model, file_id, batch.id)
                continue
            for line in content.text.split("\n"):
                name, answer = self._read(line)
                if answer is not None:
                    answers[name] = answer
        return answers

    def _read(self, line: str) -> tuple[str, Answer | None]:
        """One line of a file: whose answer it is, and what; None for a line that is neither answer nor error."""
        try:
            entry = json.loads(line or "null")
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            return "", None
        name, response, error = str(entry.get("custom_id")), entry.get("response"), entry.get("error")
        if isinstance(response, dict) and response.get("status_code") == OK:
            return name, json.dumps(response.get("body"))
        if isinstance(response, dict):
            said = self._endpoint.shown(json.dumps(response.get("body")))
            return name, CallFailed(f"{self._endpoint.host} answered {response.get('status_code')}: {said}")
        return name, CallFailed(f"{self._endpoint.host}: {self._endpoint.shown(json.dumps(error))}")

    def _cut_off(self, error: Any) -> CallFailed:
        try:
            failed = self._endpoint.cut_off(error, UPLOAD_SECONDS)
        except UnreachableError as unreachable:
            failed = CallFailed(str(unreachable))
        return CallFailed(f"{failed.reason}; a job once made goes on: run this again to take it up", failed.attempts)


def _parts(lines: Mapping[str, str]) -> Iterator[list[tuple[str, str]]]:
    """The lines in parts that the host takes as one job each."""
    part: list[tuple[str, str]] = []
    size = 0
    for name, line in lines.items():
        if part and (len(part) == MOST_REQUESTS or size + len(line.encode()) + 1 > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append((name, line))
        size += len(line.encode()) + 1
    if part:
        yield part


def _without_answer(batch: "Batch") -> str:
    """Why a request of this job has no answer."""
    said = "; ".join(error.message or "" for error in (batch.errors.data or [])) if batch.errors else ""
    if batch.status == "failed":
        return f"batch {batch.id} failed: {said or 'the host does not say why'}"
    if batch.status in OVER:
        return f"batch {batch.id} {batch.status} without an answer to this request"
    return f"batch {batch.id} is still {batch.status}; run this again later to take it up"
