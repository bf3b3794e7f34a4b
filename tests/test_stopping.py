"""Laws of the rule that decides how far to train on few rows."""

import numpy as np
import pytest

from skrepr._stopping import SHARES, choose_stop, epochs_to_try, split_into_folds

RNG = np.random.default_rng(0)
EPOCHS = [1, 2, 4]


def curves(gain, n_errors):
    """Make losses that fall by ``gain``, epochs by shares, that many standard errors."""
    noise = RNG.normal(size=(3, 3, 25))
    noise = (noise - noise.mean(-1, keepdims=True)) / noise.std(-1, ddof=1, keepdims=True)
    gain = np.asarray(gain)[..., None]
    start = np.full((1, 3, 25), 2.0)
    return np.concatenate([start, 2 * (1 - gain - noise * np.abs(gain) * 5 / n_errors)])


@pytest.mark.parametrize("n", [3, 10, 23, 100, 499])
def test_folds_hold_out_every_row_once(n):
    folds = split_into_folds(RNG.permutation(n), min(n, 5))
    held_out = np.concatenate([row for _, groups in folds for row in groups])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(n))
    for learned_from, groups in folds:
        assert min(map(len, groups)) > 0
        np.testing.assert_array_equal(learned_from, np.setdiff1d(np.arange(n), np.r_[*groups]))


@pytest.mark.parametrize("n_epochs", [1, 2, 25, 200, 4000])
def test_epochs_to_try_rise_from_the_first_to_the_last(n_epochs):
    tried = epochs_to_try(n_epochs)
    assert tried == sorted(set(tried))
    assert tried[0] == 1 and tried[-1] == n_epochs
    assert len(tried) <= 25
    assert all(type(number) is int for number in tried)


def test_the_largest_sure_gain_is_taken():
    gain = np.full((3, 3), 0.1)
    gain[2, 2] = 0.2
    assert choose_stop(curves(gain, 10), EPOCHS) == (4, 1.0)
    gain[1, 1] = 0.4
    assert choose_stop(curves(gain, 10), EPOCHS) == (2, 0.5)


def test_what_is_likely_but_not_sure_is_taken_a_quarter_of_the_way():
    gain = np.full((3, 3), 0.1)
    gain[1, 0] = 0.2
    assert choose_stop(curves(gain, 3), EPOCHS) == (2, SHARES[0])
    # the smallest share has to promise something itself
    gain[:, 0] = -0.1
    assert choose_stop(curves(gain, 3), EPOCHS) == (0, 1.0)


@pytest.mark.parametrize(("gain", "n_errors"), [(-0.05, 10), (-0.05, 0.1), (0.05, 0.9), (0.0, 1)])
def test_without_a_likely_gain_the_start_remains(gain, n_errors):
    assert choose_stop(curves(np.full((3, 3), gain), n_errors), EPOCHS) == (0, 1.0)


def test_the_unit_of_the_loss_does_not_matter():
    losses = curves(np.linspace(0.01, 0.1, 9).reshape(3, 3), 4)
    for unit in (1e-20, 1e20):
        assert choose_stop(unit * losses, EPOCHS) == choose_stop(losses, EPOCHS)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_is_not_finite_for_some_rows_is_no_choice(value):
    losses = curves(np.linspace(0.01, 0.1, 9).reshape(3, 3), 10)
    expected = choose_stop(losses, EPOCHS)
    losses[1, 1, 7] = value
    assert choose_stop(losses, EPOCHS) == expected == (4, 1.0)
    losses[3, 2, 7] = value
    assert choose_stop(losses, EPOCHS) == (4, 0.5)
    losses[1:, :, 3] = value
    assert choose_stop(losses, EPOCHS) == (0, 1.0)


def test_negative_losses_fall_as_others_do():
    losses = curves(np.linspace(0.01, 0.1, 9).reshape(3, 3), 5)
    assert choose_stop(losses - 4, EPOCHS) == choose_stop(losses, EPOCHS)
    assert choose_stop(4 - losses, EPOCHS) == (0, 1.0)
