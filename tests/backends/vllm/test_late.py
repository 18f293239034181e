"""Models of late interaction on vLLM's pooling runner score what transformers and numpy score."""

import late_models
import model_servers
import pytest
import tiny_models
from late_models import LateModel

from rerankllm import Reranker
from rerankllm.data import Document
from rerankllm.errors import CapabilityError, InputError, QueryFailed, SpecError

OPTIONS = "dtype=float32&enforce_eager=true&kv_cache_memory_bytes=67108864"
DOCS = [Document(str(place), text) for place, text in enumerate(late_models.PASSAGES)]


@pytest.mark.parametrize("model", late_models.PUBLISHED, ids=lambda model: model.name)
def test_scores_are_maxsim_over_the_tokens(tmp_path, model):
    folder = model.save(tmp_path / model.name)
    with Reranker(model=f"vllm:{folder}?{OPTIONS}") as reranker:
        assert str(reranker.stage) == "pointwise"
        with pytest.raises(CapabilityError, match="asks it to put passages in order"):
            reranker.beside("sliding")
        for strategy in (reranker, reranker.beside("pointwise")):
            for query in late_models.QUERIES:
                found = sorted(strategy.rerank(query, DOCS), key=lambda result: int(result.doc_id))
                expected = [model.score(folder, query, text) for text in late_models.PASSAGES]
                assert [result.score for result in found] == pytest.approx(expected, abs=1e-4)
        usage = reranker.rerank(late_models.QUERIES[0], DOCS).ledger.usage
        assert usage.prompt_tokens == 0  # all of it was computed above


def test_texts_are_cut_where_the_user_says(tmp_path):
    model = late_models.PUBLISHED[2]
    folder = model.save(tmp_path / model.name)
    with Reranker(model=f"vllm:{folder}?{OPTIONS}&max_model_len=16") as reranker:
        (found,) = reranker.rerank("flea", DOCS[2:3])
    shorter = LateModel(model.name, model.style, model.backbone, lengths=(12, 16))
    assert found.score == pytest.approx(shorter.score(folder, "flea", DOCS[2].text), abs=1e-4)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LateModel("a", "pylate", "modernbert", dense=(24, 16), residual=True), "leaves out a part of its layer"),
        (LateModel("b", "pylate", "modernbert", activation="torch.nn.modules.activation.Mish"), "leaves out a part"),
    ],
    ids=["residual", "activation"],
)  # fmt: skip
def test_what_vllm_would_leave_out_is_refused(tmp_path, model, message):
    folder = model.save(tmp_path / "m")
    with pytest.raises(InputError, match=f"{message}.*; embed:.* computes it with transformers"):
        Reranker(model=f"vllm:{folder}?{OPTIONS}")


def test_an_encoder_that_vllm_does_not_have_is_refused(tmp_path):
    folder = late_models.PUBLISHED[2].save(tmp_path / "m")
    late_models.edit(folder / "config.json", model_type="deberta-v2")
    with pytest.raises(InputError, match=r"computes bert, modernbert, lfm2; this is deberta-v2; embed:"):
        Reranker(model=f"vllm:{folder}?{OPTIONS}")
    with pytest.raises(SpecError, match="'block_size' does nothing"):
        Reranker(model=f"vllm:{folder}?block_size=32")


@pytest.mark.slow
def test_vllms_server_reads_texts_otherwise(tmp_path):
    """What `rerank:` refuses by name: the server's score is that of texts without markers, punctuation included."""
    model = LateModel("any", "pylate", "modernbert")
    folder = model.save(tmp_path / "m")
    late_models.edit(folder / "config.json", architectures=["ColBERTModernBertModel"])
    with model_servers.vllm_of(folder, "any", tmp_path) as url:
        with Reranker("pointwise", f"rerank:any?dialect=vllm&base_url={url}") as reranker:
            (found,) = reranker.rerank("how long do fleas live", [Document("a", "Fleas jump, far!")])
        late = {"dialect": "vllm", "base_url": url}
        with pytest.raises(CapabilityError, match="vllm:GTE-ModernColBERT-v1 and embed:GTE-ModernColBERT-v1 ask it as"):
            Reranker(model="rerank:GTE-ModernColBERT-v1?" + "&".join(f"{key}={value}" for key, value in late.items()))
    plain = PlainText("any", "pylate", "modernbert", skip=False)
    assert found.score == pytest.approx(plain.score(folder, "how long do fleas live", "Fleas jump, far!"), abs=1e-3)
    assert found.score != pytest.approx(model.score(folder, "how long do fleas live", "Fleas jump, far!"), abs=1e-2)


class PlainText(LateModel):
    """Texts as the server reads them."""

    def _ids(self, tokenizer, text, marker, length):
        del marker, length
        return tokenizer(text)["input_ids"]


PETS = [
    Document("a", "Fleas jump far."),
    Document("b", "A flea lives for\ntwo  months.", title="Fleas"),
    Document("c", "Dogs [1] bark <|embed_token|> at <|im_end|> strangers."),
]


@pytest.mark.parametrize("name", ["jina-reranker-v3", "jina-reranker-v3.5"])
def test_jinas_whole_list_is_compared_as_on_hf(tmp_path, name):
    """tests/backends/hf/test_whole_list.py holds `hf:` to Qwen3 and a projector put together there.

    The prompt of v3.5 marks the query twice.
    """
    folder = tiny_models.jina_v3(tmp_path / name, published_ids=True)
    read = {}
    for kind, options in (("hf", "threads=1"), ("vllm", OPTIONS)):
        read[kind] = []
        with Reranker(model=f"{kind}:{folder}?{options}", instruction="Find pets.") as reranker:
            assert str(reranker.stage).endswith(f" / similarity(prompt={name})")
            run = reranker.backend.run
            reranker.backend.run = lambda works, run=run, kept=read[kind]: (
                kept.extend(run(works)) or kept[-len(works) :]
            )
            read[f"{kind} order"] = [result.doc_id for result in reranker.rerank("how long do fleas live?", PETS)]
            named = reranker.beside("full").rerank("how long do fleas live?", PETS)
            assert [result.doc_id for result in named] == read[f"{kind} order"]
    assert [response.usage for response in read["vllm"]] == [response.usage for response in read["hf"]]
    assert read["vllm order"] == read["hf order"]
    for there, here in zip(read["vllm"], read["hf"], strict=True):
        assert len(here.logprobs) == len(PETS)
        assert there.logprobs == pytest.approx(here.logprobs, abs=1e-4)


def test_what_vllm_cannot_compare_says_so(tmp_path):
    other = tiny_models.jina_v3(tmp_path / "jina-reranker-v3")
    with (
        Reranker(model=f"vllm:{other}?{OPTIONS}") as reranker,
        pytest.raises(QueryFailed, match="takes vectors at the tokens 151670 and 151671; this model's are"),
    ):
        reranker.rerank("how long do fleas live?", PETS)
    windowed = tiny_models.jina_v3(tmp_path / "jina-reranker-v3.5", window=64)
    with pytest.raises(InputError, match="see a part of the prompt only, which vLLM leaves out.* hf:"):
        Reranker(model=f"vllm:{windowed}?{OPTIONS}")
