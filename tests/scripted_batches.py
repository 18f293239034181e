"""The files and batches routes of OpenAI's API, for a `ScriptedServer`: jobs whose requests are answered by its script.

```python
batches = Batches(looks=2)
with ScriptedServer(script, batches=batches) as server: ...
assert len(batches.made) == 1
```
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Batches:
    """What the host holds.

    Attributes:
        looks: How often a job must be looked at before it is over.
        fate: What it is then: completed, failed, expired, cancelled.
        answered: How many of its requests are answered by then; all when none.
        made: The jobs, in the order made.
        files: The files, by id.
    """

    looks: int = 1
    fate: str = "completed"
    answered: int | None = None
    made: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    looked: dict[str, int] = field(default_factory=dict)

    def respond(
        self, method: str, path: str, body: bytes, answer: Callable[[dict[str, Any]], tuple[int, Any]]
    ) -> tuple[int, str] | None:
        """Status and body of the response; None for another route. `answer` gives those of one request of a job."""
        match method, path.removeprefix("/v1/").split("/"):
            case "POST", ["files"]:
                return 200, json.dumps(self._file(_uploaded(body)))
            case "GET", ["files", name, "content"]:
                return (200, self.files[name]) if name in self.files else (404, "{}")
            case "POST", ["batches"]:
                return 200, json.dumps(self._make(json.loads(body)))
            case "GET", ["batches"]:
                return 200, json.dumps({"object": "list", "data": self.made[::-1], "has_more": False})
            case "GET", ["batches", name]:
                return 200, json.dumps(self._look(next(b for b in self.made if b["id"] == name), answer))
        return None

    def _file(self, content: str) -> dict[str, Any]:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        about = {"id": name, "object": "file", "bytes": len(content), "created_at": 0, "filename": "requests.jsonl"}
        return {**about, "purpose": "batch", "status": "processed"}

    def _make(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        about = {"id": f"batch-{len(self.made)}", "object": "batch", "created_at": int(time.time())}
        batch = {**asked, **about, "status": "validating"}
        self.made.append(batch)
        return batch

    def _look(self, batch: dict[str, Any], answer: Callable[[dict[str, Any]], tuple[int, Any]]) -> dict[str, Any]:
        looked = self.looked[batch["id"]] = self.looked.get(batch["id"], 0) + 1
        if batch["status"] in {"validating", "in_progress"}:
            batch["status"] = "in_progress"
            if looked >= self.looks:
                self._end(batch, answer)
        return batch

    def _end(self, batch: dict[str, Any], answer: Callable[[dict[str, Any]], tuple[int, Any]]) -> None:
        batch["status"] = self.fate
        if self.fate == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": "invalid", "message": "line 1 is no request"}]}
            return
        good, bad = [], []
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].split("\n") if line]
        for line in lines[: self.answered]:
            status, body = answer(line["body"])
            response = {"status_code": status, "request_id": "r", "body": body}
            said = {"id": "b", "custom_id": line["custom_id"], "response": response, "error": None}
            (good if status == 200 else bad).append(json.dumps(said))
        # Out of order, as the API has it.
        for key, found in (("output_file_id", good), ("error_file_id", bad)):
            if found:
                batch[key] = self._file("\n".join(found[::-1]) + "\n")["id"]


def _uploaded(body: bytes) -> str:
    """The file in a multipart body."""
    boundary = body.split(b"\r\n", 1)[0]
    part = next(p for p in body.split(boundary) if re.search(rb'name="file"', p))
    return part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n").decode()
