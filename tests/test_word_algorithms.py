"""Skip-gram and CBOW: the loss of the papers, and its gradient."""

import numpy as np
import pytest
import torch
from word_models import (
    N_WORDS,
    WIDTH,
    WINDOW,
    draw_sides,
    log_sigmoid,
    make_blocks,
    make_model,
)

from skrepr._corpus import Subwords
from skrepr._word_algorithms import ALGORITHMS, SkipGram

SUBWORDS = [None, Subwords(3, 4, 20)]


def loss_of_the_paper(model, blocks, sides):
    """Equation 4 of Mikolov et al. (2013), pair by pair, in float64."""
    words, contexts = (t.all().double().numpy() for t in (model.words, model.contexts))
    total, n_pairs = 0.0, 0
    for block in range(len(blocks.centers)):
        negatives = contexts[blocks.negatives[block].numpy()]
        for i, center in enumerate(blocks.centers[block].tolist()):
            left, right = sides[block, i].tolist()
            window = blocks.around[block, i + WINDOW - left : i + WINDOW + right + 1].tolist()
            near = window[:left] + window[left + 1 :]
            if not near:
                continue
            if isinstance(model.algorithm, SkipGram):
                pairs = [(words[center], contexts[other]) for other in near]
            else:
                pairs = [(words[near].mean(axis=0), contexts[center])]
            for h, u in pairs:
                of_noise = log_sigmoid(-negatives @ h).mean()
                total -= log_sigmoid(h @ u) + model.negative * of_noise
                n_pairs += 1
    return total / n_pairs


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_loss_is_that_of_the_paper(algorithm):
    model, sides = make_model(algorithm).double(), draw_sides(5)
    blocks = make_blocks(sides=sides)
    expected = loss_of_the_paper(model, blocks, sides)
    np.testing.assert_allclose(model(blocks).item(), expected, rtol=1e-6)


def find(model, blocks, dtype=torch.float32):
    """Find steps at a learning rate of -1: the gradient itself."""
    rates = [each.to(dtype) for each in model.rates(blocks, -1.0)]
    return model.steps(blocks, rates, dtype)


def dense(changes):
    total = torch.zeros(N_WORDS, WIDTH, dtype=torch.float64)
    for change in changes:
        total.index_add_(0, change.words, change.steps.double())
    return total


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("sizes", [(32, 24), (7, 5), (1, 1)])
@pytest.mark.parametrize("subwords", SUBWORDS, ids=["words", "subwords"])
def test_gradient_in_closed_form_is_that_of_autograd(algorithm, sizes, subwords):
    model = make_model(algorithm, subwords=subwords).double()
    blocks = make_blocks(sides=draw_sides(5, sizes[0]), n_negatives=sizes[1])
    model(blocks).backward()
    words, contexts = find(model, blocks, torch.float64)
    of_skipgram = isinstance(model.algorithm, SkipGram)
    n_pairs = model.algorithm.n_pairs(blocks.n_near).sum()
    assert n_pairs == (blocks.n_near.sum() if of_skipgram else (blocks.n_near > 0).sum())
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    assert len(before) == (2 if subwords is None else 3)
    for table, changes in ((model.words, words), (model.contexts, contexts)):
        for change in changes:
            table.move(*change)
    for name, parameter in model.named_parameters():
        moved = (parameter.detach() - before[name]) / n_pairs
        np.testing.assert_allclose(moved, parameter.grad, rtol=1e-6, atol=1e-8)


def test_cbow_passes_the_gradient_of_the_sum_on():
    """As in the authors' program: each word of a window gets it, not divided by their number."""
    sides = torch.zeros(1, 32, 2, dtype=torch.int64)
    sides[0, 4] = torch.tensor([2, 1])
    model, blocks = make_model("cbow").double(), make_blocks(sides=sides, seed=1)
    near = blocks.around[0, [4 + WINDOW - 2, 4 + WINDOW - 1, 4 + WINDOW + 1]]
    assert len(near.unique()) == 3
    h = model.words.all()[near].mean(0).requires_grad_()
    target, negatives = (
        model.contexts.all()[i] for i in (blocks.centers[0, 4], blocks.negatives[0])
    )
    loss = -torch.nn.functional.logsigmoid(h @ target)
    loss = loss - 4 * torch.nn.functional.logsigmoid(-negatives @ h).mean()
    loss.backward()
    change = dense(find(model, blocks, torch.float64)[0])
    np.testing.assert_allclose(change[near], h.grad.expand(3, -1), rtol=1e-6)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_products_in_bfloat16_are_near(algorithm):
    model, blocks = make_model(algorithm), make_blocks()
    for exact, rough in zip(find(model, blocks), find(model, blocks, torch.bfloat16)):
        a, b = dense(exact), dense(rough)
        assert 0 < (a - b).norm() < 0.02 * a.norm()
