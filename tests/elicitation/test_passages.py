"""The first tokens of a passage: the same as of the whole text, and hardly more encoded than wanted."""

from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import WordTokenizer

from rerankllm.backends.token_estimate import EstimatedTokenizer
from rerankllm.elicitation.passages import composes, first_tokens

TEXTS = st.text(max_size=300).map(lambda text: " ".join(text.split()))
PROSE = " ".join(f"passage number {i}, of 2,000 or so;" for i in range(500))


@given(TEXTS, st.integers(1, 40), st.sampled_from([WordTokenizer, EstimatedTokenizer]))
def test_they_are_those_of_the_whole_text(text, limit, kind):
    tokenizer = kind()
    assert first_tokens(tokenizer, text, limit) == tokenizer.encode(text)[:limit]


def test_hardly_more_is_encoded_than_wanted():
    tokenizer = WordTokenizer()
    assert len(first_tokens(tokenizer, PROSE, 300)) == 300
    encoded = "".join(tokenizer.encoded)
    assert PROSE.startswith(encoded)
    assert len(WordTokenizer().encode(encoded)) <= 1.05 * 300


def test_where_words_depend_on_one_another_the_whole_text_is_encoded():
    class Pairs(WordTokenizer):
        """Reads the characters two by two."""

        words_apart = False

        def encode(self, text, *, special=False):
            self.encoded.append(text)
            return tuple(hash(text[i : i + 2]) for i in range(0, len(text), 2))

    assert composes(WordTokenizer())
    assert not composes(Pairs())
    tokenizer = Pairs()
    assert first_tokens(tokenizer, PROSE, 7) == Pairs().encode(PROSE)[:7]
    assert tokenizer.encoded == [PROSE]
