"""Queries that wait on disk are those that were given, and nothing of them is lost or held."""

import errno
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import InputError
from rerankllm.formats.spilled import Spilled

DOCUMENTS = st.builds(
    Document, st.text(min_size=1), st.text(), st.text(), st.dictionaries(st.text(), st.integers() | st.text())
)
QUERIES = st.lists(st.tuples(st.builds(Query, st.text(), st.text()), st.lists(st.builds(Candidate, DOCUMENTS))))


@pytest.mark.slow
@given(QUERIES, st.slices(5))
def test_they_are_those_that_were_given_in_any_order_and_again(queries, part):
    found = Spilled(iter(queries))
    for _ in range(2):
        assert [(query, list(candidates)) for query, candidates in found] == queries
    assert [(query, list(candidates)) for query, candidates in found[part]] == queries[part]
    for place in reversed(range(len(queries))):
        query, candidates = found[place - len(queries)]
        assert (query, len(candidates), candidates[part]) == (
            queries[place][0], len(queries[place][1]), queries[place][1][part]
        )  # fmt: skip
        assert [candidates[i] for i in range(len(candidates))] == queries[place][1]


def test_candidates_outlive_what_they_were_read_from():
    ((_, candidates),) = Spilled([(Query("q", "text"), [Candidate(Document("d", "text"))])])
    assert [candidate.doc_id for candidate in candidates] == ["d"]


def test_what_reading_raises_is_raised_at_once():
    def queries():
        yield Query("q", "text"), []
        raise InputError("line 2")

    with pytest.raises(InputError, match="line 2"):
        Spilled(queries())


def test_no_room_is_told_with_what_would_help(monkeypatch):
    class Full:
        def tell(self):
            return 0

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(InputError, match=r"No space left on device\); set TMPDIR"):
        Spilled([(Query("q", "text"), [])])
