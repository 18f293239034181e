"""The description is true: what schemathesis makes of it gets the answers it promises."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from serving import PATHS, inside

from rerankllm.server.dialects import by_path
from rerankllm.server.keys import Keys

PROMISED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def api():
    with inside() as client:
        yield schemathesis.openapi.from_asgi("/openapi.json", client.app)


OPERATIONS = [
    *(
        (path, "POST", mode)
        for path in (*PATHS, "/v1/ranking", "/v1/reranking")
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ),
    *((path, "GET", GenerationMode.POSITIVE) for path in ("/health", "/metrics", "/v1/models")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_as_described(api, path, method, mode):
    @settings(
        max_examples=20, deadline=None, phases=[Phase.generate], derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=api[path][method].as_strategy(generation_mode=mode))
    def run(case):
        case.call_and_validate(checks=[CHECKS.get_one(name) for name in PROMISED])

    run()


def test_examples_work(client):
    described = client.get("/openapi.json").json()
    for path, operations in described["paths"].items():
        body = operations.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in body.get("examples", {}).values():
            sent = {**example["value"], **({"model": "points"} if "model" in example["value"] else {})}
            assert client.post(path, json=sent).status_code == 200


def test_what_it_says(client):
    described = client.get("/openapi.json").json()
    assert {*by_path(), "/score", "/v1/score", "/health", "/metrics", "/v1/models", "/v1/models/{model_id}"} == set(
        described["paths"]
    )
    assert "HTTPValidationError" not in str(described)
    assert "422" not in described["paths"]["/v2/rerank"]["post"]["responses"]
    assert {"401", "413", "429", "503", "504"} <= set(described["paths"]["/rerank"]["post"]["responses"])
    assert "securitySchemes" not in described["components"]


def test_titles_and_names_of_operations_are_unique(client):
    """Generators name classes after titles, and leave out routes whose names come twice."""
    described = client.get("/openapi.json").json()
    titles = [schema["title"] for schema in described["components"]["schemas"].values()]
    assert sorted(set(titles)) == sorted(titles)
    assert sorted(titles) == sorted(described["components"]["schemas"])
    named = [each["operationId"] for path in described["paths"].values() for each in path.values()]
    assert sorted(set(named)) == sorted(named)


def test_swagger(client):
    page = client.get("/docs")
    assert page.status_code == 200
    assert "/openapi.json" in page.text


def test_keys_are_described():
    with inside(keys=Keys(["k"])) as client:
        assert client.get("/docs").status_code == 200
        described = client.get("/openapi.json").json()
    assert described["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}
