"""How well two views find each other, in bits."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skrepr.objectives._agreement import (
    BLOCK_ROWS,
    bits_of_agreement,
    blocks_of,
    fit_temperature,
    pointwise_agreement,
)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([10], [10]),
        ([255], [255]),
        ([256], [256]),
        ([200, 200, 200], [256, 256]),
        ([1000], [256] * 3),
        ([1, 254, 2], [256]),
    ],
)
def test_blocks_are_of_256_rows_in_order(lengths, expected):
    x = torch.arange(float(sum(lengths)))[:, None]
    parts = zip(x.split(lengths), (-x).split(lengths))
    blocks = list(blocks_of(parts))
    assert [len(first) for first, _ in blocks] == expected
    assert torch.equal(torch.cat([first for first, _ in blocks]), x[: sum(expected)])
    assert all(torch.equal(first, -second) for first, second in blocks)
    assert BLOCK_ROWS == 256


def test_bits_against_the_formula():
    first, second, temperature = draw(20, 5), draw(20, 5, seed=1), 0.3
    a, b = (x / x.norm(dim=1, keepdim=True) for x in (first.double(), second.double()))
    odds = ((a @ b.T) / temperature).exp().numpy()
    losses = [-np.log(np.diag(odds) / odds.sum(axis)) for axis in (0, 1)]
    expected = math.log2(20) - np.mean(losses) / math.log(2)
    assert_allclose(bits_of_agreement(first, second, temperature), expected, rtol=1e-5)


def test_bits_of_what_agrees_perfectly_and_of_what_has_collapsed():
    z = torch.eye(64)
    assert_allclose(bits_of_agreement(z, z, 0.01), 6, atol=1e-6)
    assert_allclose(bits_of_agreement(torch.ones(64, 3), torch.ones(64, 3), 0.1), 0, atol=1e-6)
    assert bits_of_agreement(z, z.roll(1, 0), 0.1) < 0
    assert bits_of_agreement(z[:1], z[:1], 0.1) == 0


def test_bits_lie_below_the_mutual_information_and_come_closer_with_more_rows():
    """Of two normal numbers with this correlation, by their best critic."""
    correlation = 0.9
    truth = -0.5 * math.log2(1 - correlation**2)
    found = []
    for n in (4, 16, 256):
        bits = []
        for seed in range(200 if n < 100 else 20):
            x, e = draw(2, n, seed=seed)
            y = correlation * x + math.sqrt(1 - correlation**2) * e
            ratio = correlation / (1 - correlation**2)
            critic = (
                ratio * x[:, None] * y - ratio * correlation / 2 * (x[:, None] ** 2 + y**2)
            ).double()
            own = critic.diag()
            rows, columns = own - critic.logsumexp(1), own - critic.logsumexp(0)
            bits.append(math.log2(n) + float(rows.mean() + columns.mean()) / 2 / math.log(2))
        found.append(np.mean(bits))
    assert found[0] < found[1] < found[2] < truth
    assert truth - found[2] < 0.1


def test_the_temperature_is_the_best_one():
    first = draw(256, 8)
    block = first, first + 0.5 * draw(256, 8, seed=1)
    best = fit_temperature([block])
    assert 0.01 < best < 1
    bits = bits_of_agreement(*block, best)
    assert bits > bits_of_agreement(*block, best * 1.1)
    assert bits > bits_of_agreement(*block, best / 1.1)


def test_pointwise_agreement_against_the_formula():
    views, references = draw(3, 6, 4), draw(9, 4, seed=1)
    z = views / views.norm(dim=2, keepdim=True)
    r = references / references.norm(dim=1, keepdim=True)
    scores = pointwise_agreement(views, r, 0.2)
    for i, score in enumerate(scores):
        pairs = [float(z[k, i] @ z[m, i]) for k in range(3) for m in range(3) if k != m]
        mean = z[:, i].sum(0) / z[:, i].sum(0).norm()
        others = 0.2 * math.log(np.mean([math.exp(float(mean @ m) / 0.2) for m in r]))
        assert_allclose(score, np.mean(pairs) - others, rtol=1e-4)
