"""Losses against computations of their own, against sentence-transformers', and their gradients."""

import math
from itertools import permutations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rerankllm.training.losses import LOSSES, Objective  # noqa: E402

SCORES = [0.3, -1.2, 2.1, 0.9, -0.4, 1.7]
LABELS = [0.5, 0.1, 0.4, 0.9, 0.4, 0.0]


def pairs(labels):
    return [(i, j) for i in range(len(labels)) for j in range(len(labels)) if labels[i] > labels[j]]


def log1p_exp(s, i, j):
    return math.log(1 + math.exp(s[j] - s[i]))


def rank_of(values):
    order = sorted(range(len(values)), key=lambda i: -values[i])
    return {document: rank for rank, document in enumerate(order, 1)}


def ranknet(s, t):
    return float(np.mean([log1p_exp(s, i, j) for i, j in pairs(t)]))


def weighted_ranknet(s, t):
    rank = rank_of(t)
    weights = [1 / (rank[i] + rank[j]) for i, j in pairs(t)]
    return float(np.average([log1p_exp(s, i, j) for i, j in pairs(t)], weights=weights))


def listnet(s, t):
    p, q = np.exp(t) / np.exp(t).sum(), np.exp(s) / np.exp(s).sum()
    return float(-(p * np.log(q)).sum())


def listmle(s, t):
    order = sorted(range(len(t)), key=lambda i: -t[i])
    chance = 1.0
    for place, document in enumerate(order):
        chance *= math.exp(s[document]) / sum(math.exp(s[other]) for other in order[place:])
    return -math.log(chance) / len(s)


def pld(s, t):
    order, worth = sorted(range(len(t)), key=lambda i: -t[i]), [math.exp(x) for x in t]
    total = 0.0
    for place, document in enumerate(order):
        chance = math.exp(s[document]) / sum(math.exp(s[other]) for other in order[place:])
        total -= worth[document] / sum(worth) * math.log(chance)
    return total


def dcg(t, rank):
    return sum((2 ** t[i] - 1) / math.log2(1 + rank[i]) for i in range(len(t)))


def lambda_(s, t):
    rank, best = rank_of(s), dcg(t, rank_of(t))
    total = 0.0
    for i, j in pairs(t):
        swapped = {**rank, i: rank[j], j: rank[i]}
        total += abs(dcg(t, rank) - dcg(t, swapped)) / best * log1p_exp(s, i, j)
    return total / len(pairs(t))


def margin_mse(s, t):
    return float(np.mean([((s[i] - s[j]) - (t[i] - t[j])) ** 2 for i, j in permutations(range(len(s)), 2)]))


def soft_ranks(s):
    n = range(len(s))
    return [1 + sum(1 / (1 + math.exp(s[i] - s[j])) for j in n if j != i) for i in n]


def adr_mse(s, t):
    mean_rank = [np.mean([r for r, v in enumerate(sorted(t, reverse=True), 1) if v == own]) for own in t]
    return float(np.mean([(r - a) ** 2 / math.log2(r + 1) for r, a in zip(mean_rank, soft_ranks(s), strict=True)]))


def approx_ndcg(s, t):
    return 1 - dcg(t, soft_ranks(s)) / dcg(t, rank_of(t))


def bce(s, t):
    return float(np.mean([-y * math.log(1 / (1 + math.exp(-x))) - (1 - y) * math.log(1 - 1 / (1 + math.exp(-x)))
                          for x, y in zip(s, t, strict=True)]))  # fmt: skip


BY_HAND = {
    "ranknet": ranknet,
    "soft-ranknet": ranknet,  # where nothing was compared; with what was, see below
    "weighted-ranknet": weighted_ranknet,
    "listnet": listnet,
    "listmle": listmle,
    "pld": pld,
    "lambda": lambda_,
    "margin-mse": margin_mse,
    "adr-mse": adr_mse,
    "approx-ndcg": approx_ndcg,
    "bce": bce,
}


def tensor(values, **options):
    return torch.tensor(values, dtype=torch.float64, **options)


def test_every_loss_has_a_computation_of_its_own():
    assert set(BY_HAND) == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_the_value_is_what_the_paper_says(name):
    assert LOSSES[name](tensor(SCORES), tensor(LABELS)).item() == pytest.approx(BY_HAND[name](SCORES, LABELS))


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name):
    assert torch.autograd.gradcheck(lambda s: LOSSES[name](s, tensor(LABELS)), tensor(SCORES, requires_grad=True))


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_against_the_gradient_lowers_it(name):
    scores = tensor(SCORES, requires_grad=True)
    before = LOSSES[name](scores, tensor(LABELS))
    before.backward()
    assert LOSSES[name](scores.detach() - 0.01 * scores.grad, tensor(LABELS)) < before


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("labels", [[0.5, 0.5, 0.5], [0.0, 0.0, 0.0]])
def test_equal_labels_give_a_finite_loss_and_gradient(name, labels):
    scores = tensor([200.0, -200.0, 0.0], requires_grad=True)
    loss = LOSSES[name](scores, tensor(labels))
    loss.backward()
    assert loss.isfinite()
    assert scores.grad.isfinite().all()


CHANCES = {(0, 1): 0.9, (2, 0): 0.35, (4, 2): 0.5, (5, 3): 0.8}
"""How likely the first is better. The third says the teacher is undecided where labels are equal, the last that its
order is another."""


def chances():
    found = torch.full((len(SCORES), len(SCORES)), math.nan, dtype=torch.float64)
    for (one, other), chance in CHANCES.items():
        found[one, other], found[other, one] = chance, 1 - chance
    return found


def soft_ranknet(s, t):
    """The paper's C = -P log p - (1 - P) log(1 - p) with p = 1 / (1 + exp(-(s_i - s_j))), over each pair once."""
    targets = dict.fromkeys(pairs(t), 1.0)
    for (one, other), chance in CHANCES.items():
        targets.pop((other, one), None)
        targets[one, other] = chance
    costs = []
    for (i, j), target in targets.items():
        p = 1 / (1 + math.exp(s[j] - s[i]))
        costs.append(-target * math.log(p) - (1 - target) * math.log(1 - p))
    return float(np.mean(costs))


def test_soft_ranknet_is_the_cross_entropy_to_the_teachers_probabilities():
    soft = LOSSES["soft-ranknet"]
    found = soft(tensor(SCORES), tensor(LABELS), chances()).item()
    assert found == pytest.approx(soft_ranknet(SCORES, LABELS))
    assert found != pytest.approx(ranknet(SCORES, LABELS))
    assert torch.autograd.gradcheck(lambda s: soft(s, tensor(LABELS), chances()), tensor(SCORES, requires_grad=True))
    objective = Objective({"soft-ranknet": 2.0, "listnet": 1.0})
    assert objective.ranking(tensor(SCORES), tensor(LABELS), chances()).item() == pytest.approx(
        2 * soft_ranknet(SCORES, LABELS) + listnet(SCORES, LABELS)
    )


def test_soft_ranknet_is_least_where_the_student_is_as_sure_as_the_teacher():
    """Scores whose differences are the teacher's log-odds have no gradient; RankNet's would go on growing apart."""
    scores = tensor([1.0, 0.2, -0.7], requires_grad=True)
    apart = (scores[:, None] - scores[None, :]).detach()
    sure = apart.sigmoid().fill_diagonal_(math.nan)
    LOSSES["soft-ranknet"](scores, tensor([3.0, 2.0, 1.0]), sure).backward()
    assert scores.grad.abs().max() < 1e-12
    scores.grad = None
    LOSSES["ranknet"](scores, tensor([3.0, 2.0, 1.0])).backward()
    assert scores.grad[0] < -0.1


def theirs(name, scores, labels):
    """The loss as sentence-transformers computes it for a cross-encoder whose scores are these."""
    losses = pytest.importorskip("sentence_transformers.cross_encoder.losses")

    class Known(torch.nn.Module):
        """A cross-encoder that gives known scores."""

        device, num_labels, activation_fn = torch.device("cpu"), 1, torch.nn.Identity()

        def preprocess(self, texts, **_):
            return {"numbers": torch.tensor([int(doc) for _, doc in texts])}

        def forward(self, features):
            return {"scores": tensor(scores)[features["numbers"]][:, None]}

    made = {
        "ranknet": lambda model: losses.RankNetLoss(model, reduction_log="natural"),
        "listnet": losses.ListNetLoss,
        "listmle": lambda model: losses.ListMLELoss(model, respect_input_order=False),
        "lambda": lambda model: losses.LambdaLoss(model, losses.LambdaRankScheme(), reduction_log="natural"),
        "adr-mse": losses.ADRMSELoss,
    }[name](Known())
    documents = [str(number) for number in range(len(scores))]
    return made([["query"], [documents]], [torch.tensor(labels)]).item()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ranknet", "listnet", "listmle", "lambda", "adr-mse"])
def test_sentence_transformers_computes_the_same(name):
    labels = [*LABELS[:4], 0.3, 0.0] if name == "listmle" else LABELS  # whose order of equal labels is any
    ours = LOSSES[name](tensor(SCORES), tensor(labels)).item()
    factor = len(SCORES) if name == "listmle" else 1  # theirs is the sum over documents
    assert theirs(name, SCORES, labels) == pytest.approx(factor * ours, rel=1e-4)


def test_an_objective_is_the_sum_of_its_losses_with_their_weights():
    scores, labels = tensor(SCORES), tensor([1.0, 0.0, 0.5, 0.5, 0.0, 0.0])
    objective = Objective({"ranknet": 2.0, "listnet": 0.5, "language-model": 3.0})
    expected = 2 * LOSSES["ranknet"](scores, labels) + 0.5 * LOSSES["listnet"](scores, labels)
    assert objective.ranking(scores, labels).item() == pytest.approx(expected.item())
    assert objective.ranks
    assert not Objective({"language-model": 1.0}).ranks
    smoothed = Objective({"bce": 1.0}, smoothing=0.2).ranking(scores, labels)
    by_hand = bce(SCORES, [0.9, 0.1, 0.5, 0.5, 0.1, 0.1])
    assert smoothed.item() == pytest.approx(by_hand)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_language_model_loss_is_the_mean_over_tokens(smoothing):
    logits = torch.tensor([SCORES, SCORES[::-1]], dtype=torch.float64)
    target = [2, 0]
    by_hand = 0.0
    for row, wanted in zip(logits.tolist(), target, strict=True):
        logs = [x - math.log(sum(map(math.exp, row))) for x in row]
        by_hand -= (1 - smoothing) * logs[wanted] + smoothing * sum(logs) / len(logs)
    found = Objective({"language-model": 3.0}, smoothing).tokens(logits, torch.tensor(target))
    assert found.item() == pytest.approx(3 * by_hand / 2)
