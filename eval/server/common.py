"""What the measurements of the server share: the command itself in a process of its own, and HTTP written by hand."""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def serving(*options: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]", Path]]:
    """`rerankllm serve` with these options: its address, its process and its log file. It ends with SIGTERM."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as written:
            command = [sys.executable, "-m", "rerankllm", "serve", "--port", "0", *options]
            process = subprocess.Popen(command, stdout=written, stderr=written, cwd=folder)
        try:
            while not (found := re.search(r" listening at (http://[\d.]+:\d+)", log.read_text(errors="replace"))):
                if process.poll() is not None:
                    raise SystemExit(log.read_text(errors="replace"))
                time.sleep(0.2)
            yield found[1], process, log
        finally:
            process.terminate()
            process.wait(60)


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def request(path: str, body: Any) -> bytes:
    """A POST of JSON."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def receive(reader: asyncio.StreamReader) -> tuple[int, Any]:
    """The status and the JSON of an answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length"))
    return int(head.split()[1]), json.loads(await reader.readexactly(length))


def milliseconds(seconds: Sequence[float], *shares: float) -> list[float]:
    """The quantiles of some times."""
    ordered = sorted(seconds)
    return [1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in shares]


def processor_seconds(pid: int) -> float:
    """The processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """The memory that a process holds, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
