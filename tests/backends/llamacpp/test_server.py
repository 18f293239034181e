"""The same model twice: in this process, and behind llama-cpp-python's own OpenAI-compatible server."""

import asyncio

import model_servers
import pytest
from near_ties import assert_same_text

from rerankllm import Reranker
from rerankllm.data import Document, Query, Ranking
from rerankllm.drivers.panel import Panel
from rerankllm.elicitation.base import PromptSettings
from rerankllm.judgements import Ask, Compare, Permute
from rerankllm.spec.stage import Stage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.llamacpp,
]
pytest.importorskip("llama_cpp", reason="needs the extra `llamacpp`")
pytest.importorskip("starlette", reason="needs llama-cpp-python[server]")

QUERY = Query("q", "how long do fleas live")
DOCS = [
    Document("a", "Dogs bark at strangers, and bark more when nobody is at home."),
    Document("b", "An adult flea lives for two or three months on a host."),
    Document("c", "Fleas jump up to two hundred times their own length."),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The base URL of a server of the same weights."""
    with model_servers.llamacpp(tmp_path_factory.mktemp("server"), shown=False) as url:
        yield url


async def written(panel, judgement):
    """The request one judgement becomes, and the response to it."""
    judge = panel.resolve(Ask((), Stage.parse("sliding / text(constrained=false)").elicitation), type(judgement))
    request = judge.prepare(judgement)
    return request, await judge.backend.complete(request)


@pytest.fixture
def engine():
    """The model in this process."""
    panel = Panel("llamacpp:smollm2", PromptSettings(), {})
    yield panel
    asyncio.run(panel.backend.aclose())


@pytest.mark.parametrize(
    "judgement", [Permute(QUERY, tuple(DOCS)), Compare(QUERY, DOCS[0], DOCS[1])], ids=lambda j: type(j).__name__
)
def test_the_same_prompt_and_the_same_answer(server, engine, judgement):
    """Its template, applied by the server and by us, gives the same tokens; greedy gives the same text.

    The two compute in other batches, so where the model likes two tokens about as much either may be written.
    """

    async def both():
        request, here = await written(engine, judgement)
        behind = Panel(f"openai:smollm2?base_url={server}", PromptSettings(), {})
        _, there = await written(behind, judgement)
        await behind.backend.aclose()
        return request, here, there

    request, here, there = asyncio.run(both())
    assert there.usage.prompt_tokens == len(request.prompt.ids) == here.usage.prompt_tokens
    assert_same_text(engine.backend, request.prompt.ids, here, there)


def test_it_ranks_or_says_which_query_it_could_not(server):
    with Reranker("prp(sort=allpair) / text", "openai:smollm2", options={"base_url": server}) as reranker:
        (outcome,) = reranker.stream([(QUERY, [*map(_candidate, DOCS)])])
    ledger = outcome.ledger
    assert ledger.calls == 6 == ledger.attempts
    assert ledger.parsed + ledger.repaired + ledger.failed == 6
    assert isinstance(outcome, Ranking) == (ledger.failed <= 3)


def test_its_answers_are_held_to_the_labels_by_its_grammar(server):
    """Free, a model this small does not name every passage; held, every answer is complete."""
    shown = [*DOCS, Document("d", "Cats purr."), Document("e", "Fleas bite.")]
    with Reranker("sliding / text", "openai:smollm2", options={"base_url": server}) as reranker:
        (outcome,) = reranker.stream([(QUERY, [*map(_candidate, shown)])])
    assert outcome.ledger.failed == 0
    assert "missing" not in outcome.ledger.notes
    assert "extra" not in outcome.ledger.notes


def test_grades_are_held_by_its_grammar_and_each_document_has_one(server):
    """Free, this model tells what the passages say."""
    with Reranker("group / text", "openai:smollm2", options={"base_url": server}) as reranker:
        (outcome,) = reranker.stream([(QUERY, [*map(_candidate, DOCS)])])
    assert (outcome.ledger.parsed, outcome.ledger.calls) == (1, 1)


def _candidate(document):
    from rerankllm import Candidate

    return Candidate(document)
