# install: openapi-python-client
"""openapi-python-client: the client it makes, and its first call on every route that ranks."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

BASE = os.environ["BASE"]
command = [
    sys.executable,
    "-m",
    "openapi_python_client",
    "generate",
    "--url",
    f"{BASE}/openapi.json",
    "--output-path",
    "made",
]
said = subprocess.run(command, capture_output=True, text=True, check=True)
assert "WARNING" not in said.stdout + said.stderr, said.stdout + said.stderr
sys.path.insert(0, "made")
(package,) = (each.name for each in Path("made").iterdir() if (each / "client.py").exists())
client = importlib.import_module(package).Client(base_url=BASE)
models = importlib.import_module(f"{package}.models")
routes = {each.stem for each in Path(f"made/{package}/api/default").glob("*.py")}
assert {"v2_rerank", "v1_rerank", "rerank", "v1_ranking", "v1_reranking", "v1_score"} <= routes, routes
body = models.CohereRequest(
    model="default", query="how long do fleas live", documents=["Dogs bark.", "Fleas live months."]
)
answer = importlib.import_module(f"{package}.api.default.v2_rerank").sync(client=client, body=body)
print("v2_rerank:", [each.index for each in answer.results], "of", len(routes), "routes")
body = models.JinaRequest(query="how long do fleas live", documents=["Dogs bark.", "Fleas live months."])
answer = importlib.import_module(f"{package}.api.default.v1_rerank").sync(client=client, body=body)
print("v1_rerank:", type(answer).__name__, [each.index for each in answer.results])
