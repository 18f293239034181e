"""Texts as terms, for BM25."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from rerankllm.errors import InputError, MissingExtra

NEEDED = "pip install 'rerankllm[bm25]'"
NO_STEMMER = "none"
LANGUAGES = ("en", "zh")
_WORDS = re.compile(r"\b\w\w+\b")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Analyzer:
    """How a text becomes terms.

    English: lower case, words of two letters and more, without the 33 stop words of Lucene's English analyzer,
    stemmed; without a stemmer that is what `bm25s.tokenize` does by default. Chinese: overlapping pairs of Han
    characters, as Lucene's CJKAnalyzer makes them, and words of other scripts.

    Attributes:
        language: `en` or `zh`.
        stemmer: One of PyStemmer's algorithms, or `none`; not used for Chinese.
    """

    language: str = "en"
    stemmer: str = "porter"

    def terms(self) -> Callable[[str], list[str]]:
        """The function that does it.

        Raises:
            InputError: There is no such stemmer, or no such language here.
            MissingExtra: bm25s or PyStemmer is not installed.
        """
        if self.language not in LANGUAGES:
            known = " and ".join(LANGUAGES)
            raise InputError(f"BM25 is here for {known}, not for {self.language}: give a run of your own with --run")
        return _han_terms if self.language == "zh" else self._words()

    def _words(self) -> Callable[[str], list[str]]:
        try:
            from bm25s.stopwords import STOPWORDS_EN  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtra(f"BM25 needs bm25s: {NEEDED}") from error
        stop = frozenset(STOPWORDS_EN)
        stem = self._stem()
        return lambda text: stem([word for word in _WORDS.findall(text.lower()) if word not in stop])

    def _stem(self) -> Callable[[list[str]], list[str]]:
        if self.stemmer == NO_STEMMER:
            return list
        try:
            import Stemmer  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtra(f"--stemmer {self.stemmer} needs PyStemmer: {NEEDED}; or --stemmer none") from error
        if self.stemmer not in Stemmer.algorithms():
            there = ", ".join([NO_STEMMER, *Stemmer.algorithms()])
            raise InputError(f"unknown stemmer '{self.stemmer}'. There are: {there}")
        stem: Callable[[list[str]], list[str]] = Stemmer.Stemmer(self.stemmer).stemWords
        return stem


def _han_terms(text: str) -> list[str]:
    pairs = [run[i : i + 2] for run in _HAN.findall(text) for i in range(max(1, len(run) - 1))]
    return pairs + _WORDS.findall(_HAN.sub(" ", text.lower()))
