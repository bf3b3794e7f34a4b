"""Laws of the rule that decides how far to train on few rows."""

import re

import numpy as np
import pytest
import torch

from skrepr._rows import Rows
from skrepr._training import _how_far
from skrepr._training._how_far import (
    SHARES,
    affordable_epochs,
    choose_stop,
    epochs_to_try,
    split_into_folds,
)
from skrepr._training._surroundings import Work

RNG = np.random.default_rng(0)
EPOCHS = epochs_to_try(4)  # 1, 2, 3, 4


class Fold:
    """Some groups of a table of losses: (1 + epochs, shares, groups), first the start's."""

    def __init__(self, losses):
        self.table = losses
        self.epoch = 0
        self.measured = []

    def go_on_to(self, epoch):
        assert epoch > self.epoch
        self.epoch = epoch

    def losses(self, share):
        self.measured.append((self.epoch, share))
        return list(self.table[self.epoch, SHARES.index(share)])


def curves(gain, n_errors):
    """Make losses that fall by ``gain``, epochs by shares, that many standard errors."""
    noise = RNG.normal(size=(4, 3, 25))
    noise = (noise - noise.mean(-1, keepdims=True)) / noise.std(-1, ddof=1, keepdims=True)
    gain = np.asarray(gain)[..., None]
    start = np.full((1, 3, 25), 2.0)
    return np.concatenate([start, 2 * (1 - gain - noise * np.abs(gain) * 5 / n_errors)])


def choose(losses):
    return choose_stop([Fold(part) for part in np.split(losses, 5, axis=-1)], 4)


@pytest.mark.parametrize("n", [3, 10, 23, 100, 499])
def test_folds_hold_out_every_row_once(n):
    numbers = torch.arange(n, dtype=torch.float32)[:, None]
    folds = split_into_folds(Rows(numbers, (1,), numbers.device), torch.Generator())
    assert len(folds) == min(n, 5)

    def numbers_of(rows):
        return rows.sample(n).flatten().numpy()

    held_out = [np.concatenate([numbers_of(group) for group in groups]) for _, groups in folds]
    np.testing.assert_array_equal(np.sort(np.concatenate(held_out)), np.arange(n))
    for (learned_from, groups), of_fold in zip(folds, held_out):
        assert min(map(len, groups)) > 0
        expected = np.setdiff1d(np.arange(n), of_fold)
        np.testing.assert_array_equal(numbers_of(learned_from), expected)


@pytest.mark.parametrize("n_epochs", [1, 2, 25, 200, 4000])
def test_epochs_to_try_rise_from_the_first_to_the_last(n_epochs):
    tried = epochs_to_try(n_epochs)
    assert tried == sorted(set(tried))
    assert tried[0] == 1 and tried[-1] == n_epochs
    assert len(tried) <= 25
    assert all(type(number) is int for number in tried)


def test_the_largest_sure_gain_is_taken():
    gain = np.full((4, 3), 0.1)
    gain[2, 2] = 0.2
    assert choose(curves(gain, 10)) == (3, 1.0)
    gain[1, 1] = 0.4
    assert choose(curves(gain, 10)) == (2, 0.5)


def test_what_is_likely_but_not_sure_is_taken_a_quarter_of_the_way():
    gain = np.full((4, 3), 0.1)
    gain[1, 0] = 0.2
    assert choose(curves(gain, 3)) == (2, SHARES[0])
    # the smallest share has to promise something itself
    gain[:, 0] = -0.1
    assert choose(curves(gain, 3)) == (0, 1.0)


@pytest.mark.parametrize(("gain", "n_errors"), [(-0.05, 10), (-0.05, 0.1), (0.05, 0.9), (0.0, 1)])
def test_without_a_likely_gain_the_start_remains(gain, n_errors):
    assert choose(curves(np.full((4, 3), gain), n_errors)) == (0, 1.0)


@pytest.mark.parametrize(("n_errors", "epochs"), [(10, [0, 1, 2]), (3, [0, 1, 2, 3, 4])])
def test_it_ends_where_a_quarter_of_the_way_is_surely_worse(n_errors, epochs):
    gain = np.full((4, 3), 0.1)
    gain[1, 0] = -0.1
    folds = [Fold(part) for part in np.split(curves(gain, n_errors), 5, axis=-1)]
    choose_stop(folds, 4)
    for fold in folds:
        assert sorted({epoch for epoch, _ in fold.measured}) == epochs


@pytest.mark.parametrize("n_errors", [10, 3], ids=["ends early", "to the last"])
def test_progress_is_shown_and_leaves_no_trace(n_errors, capsys, monkeypatch):
    """What the bar says must be true at each fold, and its line free when it is done."""
    shown, new_bar = [], _how_far.new_bar

    def watched(n_epochs, **settings):
        bar = new_bar(n_epochs, mininterval=0, ncols=100, **settings)
        update = bar.update
        bar.update = lambda n: shown.append(n) or update(n)
        return bar

    monkeypatch.setattr(_how_far, "new_bar", watched)
    gain = np.full((4, 3), 0.1)
    gain[1, 0] = -0.1
    folds = [Fold(part) for part in np.split(curves(gain, n_errors), 5, axis=-1)]
    choice = choose_stop(folds, 4, verbose=True)
    assert sum(shown) == sum(fold.epoch for fold in folds) == (10 if n_errors == 10 else 20)
    out, told = capsys.readouterr()
    assert out == ""
    for done in range(1, sum(shown) + 1):
        assert re.search(rf"cross-validation: .* {done}/20 \[", told)
    *_, last, empty = told.split("\r")
    assert "\n" not in told and last.strip() == empty == ""
    # nor does anything change by it
    folds = [Fold(fold.table) for fold in folds]
    assert choose_stop(folds, 4) == choice
    assert capsys.readouterr() == ("", "")


def test_epochs_between_those_that_are_tried_are_shown_too(capsys, monkeypatch):
    shown, new_bar = [], _how_far.new_bar
    monkeypatch.setattr(
        _how_far, "new_bar", lambda *a, **k: shown.append(new_bar(*a, **k)) or shown[0]
    )
    folds = [Fold(np.full((61, 3, 5), 2.0)) for _ in range(5)]
    choose_stop(folds, 60, verbose=True)
    assert len(epochs_to_try(60)) < 60
    assert shown[0].n == shown[0].total == 5 * 60


def test_unit_and_sign_of_the_loss_do_not_matter():
    losses = curves(np.linspace(0.01, 0.1, 12).reshape(4, 3), 4)
    assert choose(losses)[0] > 0
    for unit in (1e-20, 1e20):
        assert choose(unit * losses) == choose(losses)
    for offset in (-2, -4, 100):  # minus a log-likelihood crosses 0
        assert choose(losses + offset) == choose(losses)
    assert choose(4 - losses) == (0, 1.0)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_is_not_finite_for_some_rows_is_no_choice(value):
    losses = curves(np.linspace(0.01, 0.1, 12).reshape(4, 3), 10)
    expected = choose(losses)
    losses[1, 1, 7] = value
    assert choose(losses) == expected == (4, 1.0)
    losses[4, 2, 7] = value
    assert choose(losses) == (4, 0.5)
    losses[1:, :, 3] = value
    assert choose(losses) == (0, 1.0)


def test_epochs_are_as_many_as_can_be_had():
    table, images = Work(100_000, 1_000), Work(40_000_000, 1_200_000)
    assert affordable_epochs(200, 64, 60, table) == 200
    assert affordable_epochs(200, 64, 60, images) < 10
    assert affordable_epochs(200, 8, 60, images) > 0  # of several steps each
    assert affordable_epochs(200, 64, 400, images) == 0


def test_passes_back_are_given_less_time():
    """Figures of a penalty on slopes of the default network, 100 columns, 16 units."""
    plain = Work(89_216, 1_612)
    for n, planned in [(499, 26), (100, 128), (30, 200)]:
        epochs = affordable_epochs(planned, 64, n, plain)
        assert epochs == planned
        few = affordable_epochs(planned, 64, n, plain._replace(values_back=10_752))
        fewer = affordable_epochs(
            planned, 64, n, plain._replace(multiplications_back=713_728, values_back=10_752)
        )
        assert 0 < fewer < few < planned
    # batches of one row need as many passes as others
    one_row, all_rows = (affordable_epochs(200, b, 30, Work(1, 1, 0, 10_752)) for b in (1, 30))
    assert one_row < all_rows / 5
