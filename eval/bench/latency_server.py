"""A host of chat completions that takes its time: so many slots, and a latency for each request.

python eval/bench/latency_server.py --slots 64 --milliseconds 200 [--sigma 0.8] [--owner vllm] [--key KEY]

Prints its port, then serves until its standard input ends. It answers every listwise prompt with the order given,
turned around. With sigma latencies are lognormal with that median, drawn by the prompt's own text, so that every client
that sends the same prompts meets the same. GET /v1/chains says how many seconds of latency each query's requests had
since it was asked last. With a key its list of models is refused to any other.
"""

import argparse
import asyncio
import hashlib
import json
import math
import os
import re
import sys
from collections import defaultdict
from statistics import NormalDist

LABEL = re.compile(r"^\[(\d+)\]", re.MULTILINE)


class Host:
    """Answers over one connection after another; `slots` requests at a time."""

    def __init__(self, slots: int, seconds: float, sigma: float, owner: str, key: str | None) -> None:
        self._owner, self._key = owner, key
        self._slots, self._seconds, self._sigma = asyncio.Semaphore(slots), seconds, sigma
        self._chains: dict[str, float] = defaultdict(float)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves a connection until the other side closes it."""
        try:
            while request := await reader.readline():
                headers = {}
                while (line := (await reader.readline()).strip()) != b"":
                    name, _, value = line.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                path = request.split()[1].decode()
                known = self._key is None or headers.get("authorization") == f"Bearer {self._key}"
                shown = known or not path.endswith("/models")
                found = json.dumps(await self._answer(path, body) if shown else {"error": "wrong key"}).encode()
                status = "200 OK" if shown else "401 Unauthorized"
                head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(found)}\r\n\r\n"
                writer.write(head.encode() + found)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, body: bytes) -> dict[str, object]:
        if path.endswith("/chains"):
            chains, self._chains = dict(self._chains), defaultdict(float)
            return chains
        if path.endswith("/models"):
            return {"object": "list", "data": [{"id": "slow", "object": "model", "owned_by": self._owner}]}
        prompt = json.loads(body)["messages"][-1]["content"]
        seconds = self._latency(prompt)
        self._chains[_query(prompt)] += seconds
        async with self._slots:
            await asyncio.sleep(seconds)
        labels = list(dict.fromkeys(LABEL.findall(prompt)))[::-1]
        text = " > ".join(f"[{label}]" for label in labels)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        tokens = len(prompt) // 4  # about; a prompt of far fewer than were sent would count as cut
        usage = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
        return {"id": "x", "object": "chat.completion", "created": 0, "model": "slow", "choices": [choice],
                "usage": usage}  # fmt: skip

    def _latency(self, prompt: str) -> float:
        if not self._sigma:
            return self._seconds
        digest = hashlib.sha256(" ".join(prompt.split()).encode()).digest()
        uniform = (int.from_bytes(digest[:6], "big") + 0.5) / 2**48
        return self._seconds * math.exp(self._sigma * NormalDist().inv_cdf(uniform))


def _query(prompt: str) -> str:
    """What tells the prompts of one query from those of others: the query itself, which ends a listwise prompt."""
    found = re.findall(r"[Qq]uery: (.*)", prompt)
    return found[-1].strip() if found else ""


async def serve(host: Host) -> None:
    """Serves until standard input ends."""
    server = await asyncio.start_server(host.converse, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # connections are still open


def main() -> None:
    """Reads the options."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--milliseconds", type=float, default=200)
    parser.add_argument("--sigma", type=float, default=0)
    parser.add_argument("--owner", default="nobody", help="Whose server it says it is; vllm for vLLM's.")
    parser.add_argument("--key", help="Whom it shows its models; to anybody without one.")
    given = parser.parse_args()
    asyncio.run(serve(Host(given.slots, given.milliseconds / 1000, given.sigma, given.owner, given.key)))


if __name__ == "__main__":
    main()
