"""The best linear order of pairs, exactly, by integer programming with scipy's HiGHS."""

import importlib.util
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rerankllm.aggregation.ballots import Floats
from rerankllm.errors import MissingExtra

NEEDED = "an exact Kemeny order needs scipy: pip install 'rerankllm[stats]', or kemeny(exact=0) to search instead"


def best_order(margins: Floats) -> NDArray[np.intp]:
    """The order with the largest sum of margins of the earlier item over the later.

    One binary variable x_ij a pair i < j, that i is first; x_ij + x_jk - x_ik is 0 or 1 for each three of them.

    Args:
        margins: Shape (n, n), antisymmetric, not all 0; n is at least 2.

    Raises:
        MissingExtra: scipy is not installed.
    """
    if importlib.util.find_spec("scipy") is None:
        raise MissingExtra(NEEDED)
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415
    from scipy.sparse import csr_array  # noqa: PLC0415

    n = len(margins)
    first, second = np.triu_indices(n, 1)
    variable = np.zeros((n, n), dtype=np.intp)
    variable[first, second] = np.arange(len(first))
    triples = np.array(list(combinations(range(n), 3)), dtype=np.intp).reshape(-1, 3)
    i, j, k = triples.T
    rows = np.arange(len(triples))
    columns = np.concatenate([variable[i, j], variable[j, k], variable[i, k]])
    signs = np.repeat([1.0, 1.0, -1.0], len(triples))
    matrix = csr_array((signs, (np.tile(rows, 3), columns)), shape=(len(triples), len(first)))
    found = milp(
        -margins[first, second] / np.abs(margins).max(),  # costs below the solver's tolerance would count for nothing
        integrality=np.ones(len(first)),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(matrix, 0, 1)] if len(triples) else [],
        options={"mip_rel_gap": 0.0},
    )
    ahead = np.zeros((n, n))
    ahead[first, second] = np.round(found.x)
    ahead[second, first] = 1 - ahead[first, second]
    order: NDArray[np.intp] = np.argsort(-ahead.sum(axis=1), kind="stable")
    return order
