# install: datamodel-code-generator httpx pydantic
"""datamodel-code-generator: the models it makes take what the server answers."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import httpx

BASE = os.environ["BASE"]
command = [
    sys.executable, "-m", "datamodel_code_generator", "--input", "openapi.json", "--input-file-type", "openapi",
    "--output", "made.py", "--output-model-type", "pydantic_v2.BaseModel",
]  # fmt: skip
Path("openapi.json").write_text(httpx.get(f"{BASE}/openapi.json", timeout=60).text)
subprocess.run(command, check=True)
sys.path.insert(0, ".")
made = importlib.import_module("made")
body = made.CohereRequest(
    model="default", query="how long do fleas live", documents=["Dogs bark.", "Fleas live months."]
)
sent = body.model_dump(mode="json", exclude_none=True)
answer = made.CohereResponse.model_validate(httpx.post(f"{BASE}/v2/rerank", json=sent, timeout=60).json())
print("v2_rerank:", [each.index for each in answer.results])
