"""Block designs: nobody twice in a block, everybody as often as promised."""

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.errors import SpecError
from rerankllm.strategies.blocks.designs import blocks

PLANES = st.sampled_from([(3, 4), (4, 4), (5, 6), (6, 6), (7, 8), (8, 8), (12, 12), (13, 14)])
"""Block sizes of finite planes, and how often an item occurs in them."""


def occurrences(found, n):
    counts = Counter(item for members in found for item in members)
    return [counts[item] for item in range(n)]


def pairs_met(found):
    return Counter(pair for members in found for pair in combinations(sorted(members), 2))


@given(st.integers(0, 130), st.integers(2, 40), st.integers(1, 6), st.integers(0, 99))
def test_equi_deals_everyone_as_often_in_blocks_of_like_size(n, block, replicas, seed):
    found = blocks("equi", n, block, replicas, random.Random(seed))
    assert all(len(set(members)) == len(members) <= block for members in found)
    assert occurrences(found, n) == [replicas] * n
    size = min(block, n)
    assert len(found) == (-(-n * replicas // size) if n else 0)
    assert max(map(len, found), default=0) - min(map(len, found), default=0) <= 1


@pytest.mark.slow
@given(st.sampled_from(["latin", "triangular"]), st.integers(2, 14), st.integers(1, 3), st.data())
def test_two_occurrences_a_copy_and_no_pair_twice_in_one(design, block, copies, data):
    most = block**2 if design == "latin" else block * (block + 1) // 2
    n = data.draw(st.integers(0, most))
    found = blocks(design, n, block, 2 * copies, random.Random(n))
    assert all(len(set(members)) == len(members) <= block for members in found)
    assert occurrences(found, n) == [2 * copies] * n
    if n > block:
        assert max(pairs_met(found).values()) <= copies
    with pytest.raises(SpecError, match=f"{design}: blocks of {block} take up to {most} documents, found {most + 1}"):
        blocks(design, most + 1, block, 2, random.Random(0))


@pytest.mark.parametrize(("design", "n", "block", "count"), [("latin", 49, 7, 14), ("triangular", 28, 7, 8)])
def test_exact_designs_have_full_blocks(design, n, block, count):
    found = blocks(design, n, block, 2, random.Random(1))
    assert [len(members) for members in found] == [block] * count


@pytest.mark.slow
@given(PLANES, st.data())
def test_in_a_plane_any_two_meet_once(plane, data):
    block, replicas = plane
    projective = replicas == block
    n = data.draw(st.integers(block + 1, block**2 - block + 1 if projective else block**2))
    if not projective and block - 1 in {2, 3, 5, 7, 11, 13}:
        n = max(n, block**2 - block + 2)  # below, the projective plane is the smaller one
    found = blocks("bibd", n, block, replicas, random.Random(n))
    assert all(len(set(members)) == len(members) <= block for members in found)
    assert occurrences(found, n) == [replicas] * n
    assert set(pairs_met(found).values()) == {1}
    assert len(pairs_met(found)) == n * (n - 1) // 2


def test_exact_planes():
    fano = blocks("bibd", 7, 3, 3, random.Random(0))
    assert [len(members) for members in fano] == [3] * 7
    affine = blocks("bibd", 49, 7, 16, random.Random(0))
    assert [len(members) for members in affine] == [7] * 112
    assert set(pairs_met(affine).values()) == {2}


@pytest.mark.parametrize(
    ("n", "block", "replicas", "message"),
    [
        (100, 10, 4, "bibd: no finite plane here has 100 documents in blocks of 10"),
        (50, 7, 8, "no finite plane"),
        (49, 7, 4, "bibd: shows each of 49 documents 8 times; use a multiple of 8 as replicas"),
    ],
)
def test_planes_that_are_not_there(n, block, replicas, message):
    with pytest.raises(SpecError, match=message):
        blocks("bibd", n, block, replicas, random.Random(0))


def test_odd_replicas_of_a_design_of_two_say_so():
    with pytest.raises(SpecError, match="latin: shows each of 30 documents 2 times; use a multiple of 2"):
        blocks("latin", 30, 6, 3, random.Random(0))


def test_random_blocks_are_full_and_as_many_as_dealt_ones():
    found = blocks("random", 100, 10, 2, random.Random(0))
    assert [len(set(members)) for members in found] == [10] * 20
    assert occurrences(found, 100).count(0) > 0


def test_a_list_that_fits_one_block_is_shown_whole():
    for design in ("equi", "latin", "triangular", "random", "bibd"):
        found = blocks(design, 6, 6, 3, random.Random(0))
        assert [sorted(members) for members in found] == [list(range(6))] * 3
        assert len(set(map(tuple, found))) > 1


def test_relabelled_copies_differ_and_seeds_repeat():
    once = blocks("latin", 16, 4, 4, random.Random(7))
    assert once == blocks("latin", 16, 4, 4, random.Random(7))
    assert {frozenset(m) for m in once[:8]} != {frozenset(m) for m in once[8:]}
