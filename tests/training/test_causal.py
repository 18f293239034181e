"""Causal students: their losses beside plain transformers', adapters, cards, and a folder that `hf:` asks."""

import itertools
import json
from pathlib import Path

import pytest
import tiny_models
import yaml
from killed_training import train_and_kill
from needs import needs

from rerankllm import Reranker, train
from rerankllm.data import Candidate, Document, Query
from rerankllm.drivers.results import Run
from rerankllm.elicitation import cards
from rerankllm.errors import InputError, TemplateError
from rerankllm.training.asked import asked
from rerankllm.training.config import Lora
from rerankllm.training.lists import Example
from rerankllm.training.losses import Objective
from rerankllm.training.student import Student

needs("accelerate", "peft", "torch", "transformers", extra="train")
WORDS = ("Yes", "No", "flea", "fleas", "dog", "dogs", "live", "jump", "host", "week", "month", "bark", "blood", "egg",
         "house", "search", "query", "passage", "passages", "identifier", "identifiers", "relevant", "most", "least",
         "Passage", "answer", "Answer", "Search", "Does", "Order", "square", "brackets", "every", "exactly", "nothing",
         "else", "joined", "from", "each", "after", "rank", "well")  # fmt: skip
LETTERS, TEXT, ONE_BY_ONE = "sliding(window=4, stride=2) / labels", "sliding(window=4, stride=2) / text", None
QUERY = Query("q", "how long do fleas live")
DOCUMENTS = (Document("a", "fleas live two weeks"), Document("b", "dogs bark"), Document("c", "a flea", title="egg"))
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base") / "qwen"
    return str(tiny_models.qwen3(folder, head="ForCausalLM", positions=1024, words=WORDS))


@pytest.fixture(scope="module")
def students(base):
    return {each: Student.load("hf", base, strategy=each, device="cpu") for each in (LETTERS, TEXT, ONE_BY_ONE)}


@pytest.fixture(scope="module")
def plain(base):
    """Plain transformers: the logits behind a chat with one answer begun, and its tokens."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForCausalLM.from_pretrained(base).eval()

    def logits(messages, answer=""):
        begun = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in (begun, answer)]
        with torch.no_grad():
            found = model(torch.tensor([ids[0] + ids[1]])).logits[0]
        return found[len(ids[0]) - 1 :], ids[1], tokenizer

    return logits


def single(query, document):
    """The turn of `score/labels`, by hand."""
    text = f"{document.title} {document.text}".strip()
    asks = "Does the passage answer the search query? Answer Yes or No."
    return [{"role": "user", "content": f"Search query: {query.text}\nPassage: {text}\n\n{asks}"}]


def log_odds(plain, query, document):
    (last, *_), _, tokenizer = plain(single(query, document))
    sums = []
    for word in ("Yes", "No"):
        spelled = [tokenizer.encode(before + each) for each in (word, word.lower()) for before in ("", " ")]
        sums.append(last[[ids[0] for ids in spelled if len(ids) == 1]].logsumexp(0))
    return (sums[0] - sums[1]).item()


def listed(shown, labels, end):
    """The turns of `permute/text` and `permute/labels`, by hand."""
    texts = "".join(
        f"[{label}] {f'{each.title} {each.text}'.strip()}\n\n" for label, each in zip(labels, shown, strict=True)
    )
    return [
        {"role": "system", "content": "You rank passages by how well they answer a search query."},
        {"role": "user", "content": f"Below are {len(shown)} passages, each after its identifier in square brackets.\n"
                                    f"\n{texts}Search query: {QUERY.text}\n\n{end}"},
    ]  # fmt: skip


def loss(student, documents, labels, chances=None, **objective):
    objective = Objective(**objective)
    student.check(objective, len(documents))
    return student.loss([Example(QUERY, documents, labels, chances or {})], objective).item()


@pytest.mark.slow
def test_one_by_one_it_learns_from_the_log_odds_of_yes_and_no(students, plain):
    import torch

    odds = torch.tensor([log_odds(plain, QUERY, each) for each in DOCUMENTS])
    labels = (1.0, 0.25, 0.0)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(odds, torch.tensor(labels))
    assert loss(students[ONE_BY_ONE], DOCUMENTS, labels, weights={"bce": 1.0}) == pytest.approx(
        expected.item(), rel=1e-4
    )
    pairs = [(0, 1), (0, 2), (1, 2)]
    ranknet = sum(torch.nn.functional.softplus(odds[j] - odds[i]) for i, j in pairs).item() / 3
    assert loss(students[ONE_BY_ONE], DOCUMENTS, labels, weights={"ranknet": 2.0}) == pytest.approx(
        2 * ranknet, rel=1e-4
    )


TEXT_END = (
    "Order all 3 passages from the most to the least relevant to the search query. Answer with the identifiers only, "
    'joined by " > ", as in [2] > [1] > [3], every identifier exactly once and nothing else.'
)
LETTERS_END = ("Order the passages from the most to the least relevant to the search query, as in [B] > [A] > [C]. "
               "Answer with the identifiers only, the most relevant first.")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_an_order_as_text_is_learnt_as_a_language_model_learns_it(students, plain, smoothing):
    """The order in which the documents are shown is drawn: the loss is that of one of the six."""
    import torch

    found = loss(students[TEXT], DOCUMENTS, (3.0, 2.0, 1.0), weights={"language-model": 1.0}, smoothing=smoothing)
    possible = []
    for shown in itertools.permutations(DOCUMENTS):
        answer = " > ".join(f"[{shown.index(each) + 1}]" for each in DOCUMENTS) + "<|im_end|>"
        logits, ids, _ = plain(listed(shown, "123", TEXT_END), answer)
        target = torch.tensor(ids)
        possible.append(torch.nn.functional.cross_entropy(logits[:-1], target, label_smoothing=smoothing).item())
    assert min(abs(each - found) for each in possible) < 1e-4 * found
    assert max(possible) - min(possible) > 1e-2 * found


@pytest.mark.slow
def test_letters_are_learnt_by_their_logits_and_as_text(students, plain):
    import torch

    weights = {"weighted-ranknet": 2.0, "language-model": 1.0}
    found = loss(students[LETTERS], DOCUMENTS, (3.0, 2.0, 1.0), weights=weights)
    possible = []
    for shown in itertools.permutations(DOCUMENTS):
        answer = "".join(
            (" > " if place else "") + f"[{'ABC'[shown.index(each)]}]" for place, each in enumerate(DOCUMENTS)
        )
        logits, ids, tokenizer = plain(listed(shown, "ABC", LETTERS_END), f"{answer}<|im_end|>")
        bracket = tokenizer.encode("[")
        assert ids[: len(bracket)] == bracket
        places = [tokenizer.encode(letter)[0] for letter in "ABC"]
        scores = {each.doc_id: logits[len(bracket)][places[i]] for i, each in enumerate(shown)}
        a, b, c = (scores[each] for each in "abc")
        pairs = [(b - a, 1 / 3), (c - a, 1 / 4), (c - b, 1 / 5)]  # ranks 1 + 2, 1 + 3, 2 + 3
        ranked = sum(torch.nn.functional.softplus(far) * weight for far, weight in pairs) / sum(w for _, w in pairs)
        told = torch.nn.functional.cross_entropy(logits[len(bracket) : -1], torch.tensor(ids[len(bracket) :]))
        possible.append((2 * ranked + told).item())
    assert min(abs(each - found) for each in possible) < 1e-4 * found


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [LETTERS, ONE_BY_ONE])
def test_how_sure_the_teacher_was_stays_with_its_documents(students, plain, strategy):
    """Of a against c it was 0.9 sure, of b against c undecided, and it did not compare a and b."""
    import torch

    found = loss(students[strategy], DOCUMENTS, (3, 2, 1), {(0, 2): 0.9, (1, 2): 0.5}, weights={"soft-ranknet": 1.0})
    possible = []
    for shown in itertools.permutations(DOCUMENTS):
        if strategy is ONE_BY_ONE:
            a, b, c = (torch.tensor(log_odds(plain, QUERY, each)) for each in DOCUMENTS)
        else:
            logits, _, tokenizer = plain(listed(shown, "ABC", LETTERS_END), "[")
            scores = {each.doc_id: logits[-1][tokenizer.encode("ABC"[i])[0]] for i, each in enumerate(shown)}
            a, b, c = (scores[each] for each in "abc")
        sure = [(a - b, 1.0), (a - c, 0.9), (b - c, 0.5)]
        costs = [torch.nn.functional.binary_cross_entropy_with_logits(far, torch.tensor(p)) for far, p in sure]
        possible.append((sum(costs) / 3).item())
    assert min(abs(each - found) for each in possible) < 1e-4 * found


@pytest.mark.slow
def test_what_is_shown_does_not_depend_on_which_document_is_better(students):
    labels = [(3.0, 2.0, 1.0), (1.0, 2.0, 3.0)]
    losses = {own: loss(students[LETTERS], DOCUMENTS, own, weights={"weighted-ranknet": 1.0}) for own in labels}
    orders = [students[LETTERS].orders([(QUERY, some)])["q"] for some in (DOCUMENTS, DOCUMENTS[::-1])]
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    assert len(set(losses.values())) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy, weights, size, message",
    [
        (ONE_BY_ONE, {"language-model": 1.0}, 9, "loss: language-model is for students that write orders"),
        (LETTERS, {"language-model": 1.0}, 9, None),
        (TEXT, {"ranknet": 1.0}, 9, None),
        (TEXT, {"ranknet": 1.0}, 10, "loss: no single token tells this model's labels apart"),  # 1 and 10
    ],
)
def test_losses_that_do_not_suit_are_refused(students, strategy, weights, size, message):
    if message is None:
        students[strategy].check(Objective(weights), size)
    else:
        with pytest.raises(InputError, match=message):
            students[strategy].check(Objective(weights), size)


@pytest.mark.parametrize(
    "strategy, message",
    [
        ("prp / labels", "asks for neither scores nor orders: try pointwise / labels"),
        ("pointwise / text", "scores are learnt by / labels, orders by / labels or / text"),
        ("pointwise / likelihood", "scores are learnt by / labels"),
        ("pointwise / labels(prompt=nothing)", "there is no template 'nothing' for score, nor a card"),
        ("pointwise / labels(prompt='no/such.yaml')", "there is no file no/such.yaml"),
        ("pointwise / labels(prompt=rankzephyr)", "its card answers permute, not score"),
        ("sliding / text(prompt=lit5-distill)", "with which nothing is trained here"),
    ],
)
def test_what_cannot_be_trained_is_one_line(strategy, message):
    with pytest.raises(InputError) as refused:
        asked(["x"], strategy, None)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "strategy, kind",
    [("pointwise / labels", "score"), ("sliding / text", "permute"), ("sliding / text(prompt=rankzephyr)", "permute"),
     ("pointwise / labels(prompt=qwen3-reranker)", "score"), (LETTERS, "permute")],
)  # fmt: skip
def test_a_students_card_is_a_card(strategy, kind):
    how = asked(["x"], strategy, 50)
    card = cards.parse("x", how.card)
    assert card.answers == (kind,)
    assert card.treatment.passage_cut == (50, "tokens")
    assert card.strategy.startswith(strategy.partition("(")[0].partition(" ")[0])


def test_a_published_reranker_is_trained_as_it_is_asked(tmp_path):
    own = asked([str(tmp_path / "qwen3-reranker-0.6b")], None, None)
    known = cards.load("qwen3-reranker")
    assert cards.parse("x", own.card).prompts["score"].completion == known.prompts["score"].completion


@pytest.mark.slow
def test_only_the_adapter_is_trained(base):
    student = Student.load("hf", base, device="cpu", lora=Lora(rank=4))
    trained = [name for name, weights in student.model.named_parameters() if weights.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    before = loss(student, DOCUMENTS, (1.0, 0.5, 0.0), weights={"ranknet": 1.0})
    plain = loss(Student.load("hf", base, device="cpu"), DOCUMENTS, (1.0, 0.5, 0.0), weights={"ranknet": 1.0})
    assert before == pytest.approx(plain, rel=1e-5)  # a new adapter adds nothing


@pytest.mark.slow
def test_a_model_without_a_config_file_is_saved_without_a_warning(base, tmp_path):
    student = Student.load("hf", base, device="cpu", lora=Lora(rank=4))
    student.model.peft_config["default"].base_model_name_or_path = str(tmp_path / "model.gguf")
    student.save(tmp_path / "out" / "model")
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").is_file()


def scores(model, strategy=None):
    candidates = [Candidate(each) for each in DOCUMENTS]
    with Reranker(strategy, model) as reranker:
        (ranking,) = Run.of(reranker.stream([(QUERY, candidates)])).rankings
        return {result.doc_id: result.score for result in ranking}, str(reranker.stage)


def configured(planted, base, **changes):
    planted["training"] |= {"epochs": 2, "batch": 4, "learning_rate": 0.01}
    planted["lists"] = {"size": 4, "per_query": 2}
    return {**planted, "student": f"hf:{base}", **changes}


@pytest.mark.slow
def test_an_adapter_is_trained_and_the_folder_is_asked_by_its_card(planted, base, tmp_path):
    import torch
    import transformers

    done = train(configured(planted, base, lora={"rank": 4}), tmp_path / "out")
    folder = tmp_path / "out" / "model"
    assert done.model == f"hf:{folder}"
    found, stage = scores(done.model)
    assert stage.startswith("pointwise / labels(prompt='")
    assert "rerankllm.yaml" in stage

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    for document in DOCUMENTS:  # in plain transformers
        asks = tokenizer.apply_chat_template(single(QUERY, document), add_generation_prompt=True, tokenize=False)
        with torch.no_grad():
            last = model(**tokenizer(asks, add_special_tokens=False, return_tensors="pt")).logits[0, -1]
        yes_no = [[tokenizer.encode(before + each) for each in (word, word.lower()) for before in ("", " ")]
                  for word in ("Yes", "No")]  # fmt: skip
        spelled = [[ids[0] for ids in every if len(ids) == 1] for every in yes_no]
        yes, no = (last[ids].logsumexp(0) for ids in spelled)
        assert found[document.doc_id] == pytest.approx((yes - no).sigmoid().item(), abs=1e-5)

    beside, _ = scores(f"hf:{base}?adapter={tmp_path / 'out' / 'adapter'}")
    assert beside == pytest.approx(found, abs=1e-4)
    assert scores(f"hf:{base}", "pointwise / labels")[0] != pytest.approx(found, abs=1e-4)
    said = (folder / "README.md").read_text()
    assert "an adapter (LoRA) of rank 4, loss ranknet" in said
    assert yaml.safe_load((folder / "rerankllm.yaml").read_text())["strategy"].startswith("pointwise")


@pytest.mark.slow
@pytest.mark.parametrize("strategy, loss", [(TEXT, None), (LETTERS, {"weighted-ranknet": 1, "language-model": 0.5})])
def test_listwise_students_rank_in_their_own_format(planted, base, tmp_path, strategy, loss):
    told = {"strategy": strategy} | ({"loss": loss} if loss else {})
    done = train(configured(planted, base, **told), tmp_path / "out")
    card = cards.find([str(tmp_path / "out" / "model")])
    assert card.answers == ("permute",)
    found, stage = scores(done.model)
    assert set(found) == {"a", "b", "c"}
    assert stage.startswith("sliding(window=4, stride=2, passes=1) / ")
    assert json.loads((tmp_path / "out" / "training.json").read_text())["loss"] == (loss or {"language-model": 1})


@pytest.mark.slow
def test_a_causal_student_learns_a_planted_order(planted, base, tmp_path):
    planted["training"] |= {"epochs": 6, "batch": 2, "learning_rate": 0.003}
    planted["lists"] = {"size": 6, "per_query": 4}
    (proof,) = train({**planted, "student": f"hf:{base}"}, tmp_path / "out").proofs
    found = {row.name: row.mean for row in proof.rows}
    assert found["student"] > 0.95
    assert found["base"] < 0.85


@pytest.mark.slow
def test_an_adapter_killed_and_started_again_comes_to_the_same_weights(planted, base, tmp_path):
    from safetensors.numpy import load_file

    config = configured(planted, base, lora={"rank": 4, "dropout": 0.1})
    train(config, tmp_path / "whole")
    killed = tmp_path / "killed"
    train_and_kill(config, killed)
    train(config, killed)
    name = Path("adapter") / "adapter_model.safetensors"
    first, second = load_file(tmp_path / "whole" / name), load_file(killed / name)
    assert set(first) == set(second)
    for key, weights in first.items():
        assert weights == pytest.approx(second[key], abs=1e-5), key


def test_a_card_beside_the_weights_wins_and_one_that_is_damaged_is_told(tmp_path):
    folder = tmp_path / "castorini" / "monot5-base"
    folder.mkdir(parents=True)
    assert cards.find([str(folder)]).name == "monot5"
    (folder / "rerankllm.yaml").write_text(asked(["x"], "sliding / text", None).card)
    found = cards.find([str(folder)])
    assert found.answers == ("permute",)
    assert found.elicitation("permute") == f"text(prompt='{folder / 'rerankllm.yaml'}')"
    assert cards.find([str(folder / "model.gguf")]) is None  # no such file
    (folder / "model.gguf").touch()
    assert cards.find([str(folder / "model.gguf")]).answers == ("permute",)
    (folder / "rerankllm.yaml").write_text("answers: 3")
    with pytest.raises(TemplateError, match="rerankllm.yaml"):
        cards.find([str(folder)])
