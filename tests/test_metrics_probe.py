"""The linear probe: what it can and cannot read, and how it uses few labels."""

import numpy as np
import pytest

from skrepr.metrics import linear_probe_score


def test_what_is_linear_is_read_and_noise_is_not():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(400, 3))
    y = np.where(Z[:, 0] > 0, "high", "low")
    scores = linear_probe_score(Z, y, random_state=0)
    assert scores["mean"].is_monotonic_increasing
    assert scores.loc[1.0, "mean"] > 0.95
    chance = linear_probe_score(Z, rng.integers(2, size=400), random_state=0)
    assert chance.loc[1.0, "mean"] == pytest.approx(0.5, abs=0.12)


def test_xor_is_out_of_reach_of_a_line():
    Z = np.random.default_rng(0).normal(size=(600, 2))
    y = (Z[:, 0] > 0) ^ (Z[:, 1] > 0)
    assert linear_probe_score(Z, y, random_state=0).loc[1.0, "mean"] < 0.65
    Z = np.c_[Z, Z[:, 0] * Z[:, 1]]
    assert linear_probe_score(Z, y, random_state=0).loc[1.0, "mean"] > 0.9


def test_numbers_are_judged_by_r2():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(500, 4))
    y = Z @ [3.0, -1, 0, 0] + rng.normal(size=500)  # signal 10, noise 1
    assert linear_probe_score(Z, y, random_state=0).loc[1.0, "mean"] == pytest.approx(
        10 / 11, abs=0.03
    )


def test_many_whole_numbers_are_numbers():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(300, 2))
    y = np.rint(100 * Z[:, 0]).astype(int)
    for whole in (y, y.astype(float)):
        assert linear_probe_score(Z, whole, random_state=0).loc[1.0, "mean"] > 0.99
    # ten rows each, and names, are of classes
    y = np.repeat(np.arange(30), 10)
    assert linear_probe_score(np.eye(30)[y], y, random_state=0).loc[0.01, "n_labels"] == 30
    names = np.repeat(np.arange(30), 4).astype(str)
    Z = np.eye(30)[np.repeat(np.arange(30), 4)]
    assert linear_probe_score(Z, names, random_state=0).loc[0.01, "n_labels"] == 30


def test_the_number_of_labels_is_the_share_and_every_class_is_among_them():
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(200, 2)), np.r_[np.zeros(194), np.ones(3), np.full(3, 2)]
    scores = linear_probe_score(Z, y, label_fractions=(0.01, 0.5), random_state=0)
    assert scores["n_labels"].tolist() == [3, 75]
    assert list(scores.index) == [0.01, 0.5]
    assert list(scores.columns) == ["n_labels", "mean", "std"]


def test_more_classes_than_rows_held_out():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(20), 3)
    scores = linear_probe_score(
        np.eye(20)[y] + 0.01 * rng.normal(size=(60, 20)), y, random_state=0
    )
    assert scores["n_labels"].tolist() == [20, 20, 45]
    assert (scores["mean"] > 0.95).all()


def test_a_class_of_one_row_is_learned_from():
    y = np.r_[np.zeros(19, dtype=int), 1]
    scores = linear_probe_score(np.eye(20), y, n_repeats=20, random_state=0)
    assert (scores["n_labels"] == [2, 2, 15]).all()


def test_fractions_keep_their_order():
    y = np.arange(40) % 2
    scores = linear_probe_score(np.eye(40), y, label_fractions=[1, 0.1, 0.5], random_state=0)
    assert scores.index.tolist() == [1, 0.1, 0.5]


def test_spread_is_over_repeats_and_seeds_repeat():
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(200, 2)), rng.integers(2, size=200)
    one = linear_probe_score(Z, y, n_repeats=1, random_state=0)
    assert (one["std"] == 0).all()
    several = linear_probe_score(Z, y, n_repeats=3, random_state=0)
    assert (several["std"] > 0).all()
    assert several.equals(linear_probe_score(Z, y, n_repeats=3, random_state=0))
    assert not several.equals(linear_probe_score(Z, y, n_repeats=3, random_state=1))


def test_a_unit_of_a_component_does_not_matter():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(300, 3))
    y = Z[:, 1] > 0.3
    scores = linear_probe_score(Z, y, random_state=0)
    scaled = linear_probe_score(Z * [1, 1e-6, 1e6], y, random_state=0)
    assert np.allclose(scores["mean"], scaled["mean"], atol=0.02)


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e155, 1e300])
def test_a_unit_of_y_does_not_matter(unit):
    Z = np.random.default_rng(0).normal(size=(100, 3))
    y = Z[:, 1] + 0.3 * Z[:, 2] ** 2
    scores = linear_probe_score(Z, y, random_state=0)
    assert np.allclose(scores, linear_probe_score(Z, unit * y, random_state=0))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_repeats": 0}, "n_repeats == 0, must be >= 1"),
        ({"test_size": 1.0}, "test_size == 1.0, must be < 1"),
        ({"label_fractions": (0.0, 1.0)}, "label_fractions == 0.0, must be > 0"),
        ({"label_fractions": (1.5,)}, "label_fractions == 1.5, must be <= 1"),
        ({"label_fractions": ()}, r"sequence of different numbers, at least one. Got \(\)"),
        ({"label_fractions": 0.5}, "sequence of different numbers, at least one. Got 0.5"),
        ({"label_fractions": (0.5, 0.5)}, "sequence of different numbers"),
        ({"test_size": 0.1}, "With test_size=0.1, 1 of 8 are held out"),
        ({"test_size": 0.9}, "2 must be left to learn from. With test_size=0.9, 8 of 8"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        linear_probe_score(np.eye(8), np.arange(8) % 2, **parameters)


def test_bad_labels():
    with pytest.raises(ValueError, match=r"at least two classes\. Got 1 class"):
        linear_probe_score(np.eye(8), np.zeros(8, dtype=int))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        linear_probe_score(np.eye(8), [0, 1])
    with pytest.raises(ValueError, match="y contains NaN"):
        linear_probe_score(np.eye(8), np.full(8, np.nan))
    with pytest.raises(ValueError, match="y contains infinity"):
        linear_probe_score(np.eye(8), np.array([np.inf, -np.inf] * 4))
    with pytest.raises(ValueError, match="y contains NaN"):
        linear_probe_score(np.eye(8), np.array(["a", None] * 4, dtype=object))
