"""Laws of the memory of what does not change while a network is trained."""

import copy

import numpy as np
import torch

from skrepr._row_memory import RowMemory

X = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 2, 5)).astype(np.float32))


class Sums:
    """A function of rows that counts how many it is given."""

    n_rows = 0

    def __call__(self, x):
        self.n_rows += len(x)
        return x.nan_to_num().sum(2)


def opened(most_values=1000):
    memory = RowMemory(most_values)
    memory.open()
    return memory


def test_each_row_is_computed_once():
    memory, sums = opened(), Sums()
    expected = X.sum(2)
    for some in (X[:4], X[2:5], X, X.flip(0)):
        assert torch.equal(memory.recall(sums, some), some.sum(2))
    assert sums.n_rows == len(X)
    assert torch.equal(copy.deepcopy(memory).recall(sums, X), expected)
    assert sums.n_rows == len(X)


def test_rows_are_known_whatever_their_padding():
    memory, sums = opened(), Sums()
    padded = torch.nn.functional.pad(X, (0, 3), value=torch.nan)
    memory.recall(sums, X)
    assert torch.equal(memory.recall(sums, padded), X.sum(2))
    assert sums.n_rows == len(X)
    # of what stands in front nothing is cut, and nothing within
    moved = torch.nn.functional.pad(X, (3, 0), value=torch.nan)
    gap = padded.clone()
    gap[:, 0, 2] = torch.nan
    nothing = torch.full_like(X, torch.nan)
    for other in (moved, gap, nothing, X[..., :4]):
        before = sums.n_rows
        assert torch.equal(memory.recall(sums, other), other.nan_to_num().sum(2))
        assert sums.n_rows > before


def test_no_more_is_kept_than_there_is_room_for():
    memory, sums = opened(most_values=2 * 4 + 1), Sums()
    for _ in range(2):
        assert torch.equal(memory.recall(sums, X), X.sum(2))
    assert len(memory.kept) == 4
    assert sums.n_rows == 6 + 2


def test_a_closed_memory_keeps_nothing():
    memory, sums = opened(), Sums()
    memory.recall(sums, X)
    memory.close()
    assert not memory.kept
    for _ in range(2):
        memory.recall(sums, X)
    assert sums.n_rows == 3 * len(X)
    assert not memory.kept
