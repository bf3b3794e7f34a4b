"""How an encoder changes with its input. That of whole networks: `test_autoencoder.py`."""

import pytest
import torch
from torch import nn

from skrepr._jacobian import can_be_exact, squared_jacobian


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))


def test_exact_norm_is_that_of_torch(encoder):
    x = torch.randn(20, 5)
    jacobians = torch.func.vmap(torch.func.jacrev(encoder))(x)
    h, norm = squared_jacobian(encoder, x, encoder, exact=True)
    torch.testing.assert_close(norm, jacobians.square().sum((1, 2)).mean())
    torch.testing.assert_close(h, encoder(x))


def test_estimate_is_right_on_average(encoder):
    x, generator = torch.randn(20, 5), torch.Generator().manual_seed(0)

    def norm(exact):
        _, value = squared_jacobian(encoder, x, encoder, exact=exact, generator=generator)
        return value.detach()

    draws = torch.stack([norm(exact=False) for _ in range(400)])
    error = draws.std() / len(draws) ** 0.5
    assert (draws.mean() - norm(exact=True)).abs() < 4 * error
    assert draws.std() > 0


def test_exact_up_to_4096_entries_of_a_row():
    assert can_be_exact(64, 64)
    assert not can_be_exact(64, 65)
