"""Block designs: which items are shown together, so that few blocks say much about all of them."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations, product
from typing import Literal, TypeAlias

from rerankllm.errors import SpecError

Design: TypeAlias = Literal["equi", "latin", "triangular", "random", "bibd"]
Blocks: TypeAlias = list[list[int]]


def blocks(design: Design, n: int, block: int, replicas: int, chance: random.Random) -> Blocks:
    """Blocks of at most `block` of the items 0 to n − 1, none twice in a block, each in random order.

    - `equi`: shuffled items are dealt, again and again. Every item occurs `replicas` times, in ⌈n·replicas / block⌉
      blocks whose sizes differ by 1 at most.
    - `latin`: items fill a square; the blocks are its rows and columns. Exact for n = block².
    - `triangular`: items are the edges of a complete graph; a block is all edges at one vertex. Exact for
      n = block·(block + 1)/2.
    - `bibd`: the lines of a finite plane: any two items meet exactly once. A projective plane for n = block² − block
      + 1 where block − 1 is prime, in which every item occurs `block` times, or an affine plane for n = block² where
      block is prime, in which it occurs block + 1 times.
    - `random`: as many blocks as `equi`, each drawn by itself: some items may not occur at all.

    Where n is smaller than a design is exact for, places are left empty: blocks get shorter, and how often an item
    occurs and two items meet stays as it was. In every design but `random`, an item occurs `replicas` times: the
    design is repeated, with the items in other places, until it does. A list that fits one block is shown whole,
    `replicas` times.

    Raises:
        SpecError: There is no such design for so many items, or none with so many replicas.
    """
    size = min(block, n)
    if n <= block or design == "equi":
        return _equi(n, size, replicas, chance)
    if design == "random":
        return [chance.sample(range(n), size) for _ in range(-(-n * replicas // size))]
    plane, times = _repeated(design, n, block, replicas)
    found: Blocks = []
    for _ in range(times):
        item = chance.sample(range(n), n)
        found += [[item[i] for i in chance.sample(members, len(members))] for members in plane if members]
    return found


def sizes(design: Design, n: int, block: int, replicas: int) -> Counter[int]:
    """How many blocks of each size `blocks` makes, without making them.

    Raises:
        SpecError: As `blocks`.
    """
    size = min(block, n)
    if n <= block or design == "equi":
        count = -(-n * replicas // size) if n else 0
        least, more = divmod(n * replicas, count) if count else (0, 0)
        return Counter({least: count - more}) + Counter({least + 1: more})
    if design == "random":
        return Counter({size: -(-n * replicas // size)})
    plane, times = _repeated(design, n, block, replicas)
    return Counter({size: count * times for size, count in Counter(map(len, plane)).items() if size})


def _repeated(design: Design, n: int, block: int, replicas: int) -> tuple[Blocks, int]:
    """The blocks of an exact design, and how often they are repeated."""
    plane = {"latin": _square, "triangular": _triangle, "bibd": _plane}[design](n, block)
    once = sum(0 in members for members in plane)
    if replicas % once:
        raise SpecError(f"{design}: shows each of {n} documents {once} times; use a multiple of {once} as replicas")
    return plane, replicas // once


def _equi(n: int, size: int, replicas: int, chance: random.Random) -> Blocks:
    """Deals one shuffled list after the other; a block that reaches into the next has those it lacks first."""
    count = -(-n * replicas // size) if n else 0
    found: Blocks = []
    pool: list[int] = []
    for i in range(count):
        members = n * replicas * (i + 1) // count - n * replicas * i // count
        dealt, pool = pool[:members], pool[members:]
        if len(dealt) < members:
            fresh = chance.sample(range(n), n)
            lacking = [item for item in fresh if item not in dealt][: members - len(dealt)]
            pool = [item for item in fresh if item not in lacking]
            dealt += lacking
        found.append(dealt)
    return found


def _square(n: int, block: int) -> Blocks:
    """Rows and columns of the fewest rows that hold n items."""
    rows = -(-n // block)
    if rows > block:
        raise SpecError(f"latin: blocks of {block} take up to {block**2} documents, found {n}; use larger blocks")
    columns = -(-n // rows)
    across = [list(range(row, n, rows)) for row in range(rows)]
    down = [list(range(column * rows, min(n, (column + 1) * rows))) for column in range(columns)]
    return across + down


def _triangle(n: int, block: int) -> Blocks:
    """The edges at each vertex of the smallest complete graph with n edges; edges between near vertices first."""
    vertices = 1
    while vertices * (vertices - 1) // 2 < n:
        vertices += 1
    if vertices > block + 1:
        most = block * (block + 1) // 2
        raise SpecError(f"triangular: blocks of {block} take up to {most} documents, found {n}; use larger blocks")
    edges = sorted(combinations(range(vertices), 2), key=lambda edge: (min(d := edge[1] - edge[0], vertices - d), edge))
    return [[i for i, edge in enumerate(edges[:n]) if vertex in edge] for vertex in range(vertices)]


def _plane(n: int, block: int) -> Blocks:
    """The lines of the smallest finite plane with lines of `block` points, cut to its first n points."""
    if n <= block**2 - block + 1 and _is_prime(block - 1):
        lines: Iterator[Sequence[int]] = iter(_projective(block - 1))
    elif n <= block**2 and _is_prime(block):
        lines = _affine(block)
    else:
        raise SpecError(
            f"bibd: no finite plane here has {n} documents in blocks of {block}; it takes up to block² with block "
            "prime, or up to block² − block + 1 with block − 1 prime"
        )
    return [[point for point in line if point < n] for line in lines]


def _affine(q: int) -> Iterator[Sequence[int]]:
    """Points (x, y), numbered x·q + y: the lines y = slope·x + shift, and x = constant."""
    for slope, shift in product(range(q), range(q)):
        yield [x * q + (slope * x + shift) % q for x in range(q)]
    for x in range(q):
        yield range(x * q, (x + 1) * q)


@cache
def _projective(q: int) -> tuple[tuple[int, ...], ...]:
    """Points in homogeneous coordinates; each is also a line, through the points orthogonal to it."""
    points = [(1, a, b) for a, b in product(range(q), range(q))] + [(0, 1, a) for a in range(q)] + [(0, 0, 1)]
    return tuple(
        tuple(i for i, (a, b, c) in enumerate(points) if (a * x + b * y + c * z) % q == 0) for x, y, z in points
    )


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % factor for factor in range(2, int(number**0.5) + 1))
